"""A row that holds several variants of a product, each with a packet of its own."""

from __future__ import annotations

import json
from typing import Any

from jmespath.exceptions import JMESPathError

from operators.catalog.feeds.rows import MAX_ROW_BYTES
from operators.catalog.mapping import Mapping
from schemas.errors import InvalidUpdate

MAX_VARIANTS_BYTES = 64 * 2**20
"""Of the packets of one row. Each has the whole row, because paths may read the other variants."""


def items_of(payload: dict[str, Any], mapping: Mapping) -> list[dict[str, Any]]:
    """What the mapping's paths read: the payload, or for each of its variants the payload with this
    one as ``variant``.

    Raises InvalidUpdate for a list that is empty or whose packets would be too large.
    """
    if mapping.variant_list is None:
        return [payload]
    try:
        variants = mapping.variant_list.find(payload)
    except JMESPathError as error:
        message = f"{mapping.vendor}: variant.list: {str(error).splitlines()[0]}"
        raise InvalidUpdate(message, reason="wrong-type") from error
    if not isinstance(variants, list):
        return [payload]
    if not variants:
        raise InvalidUpdate(f"{mapping.vendor}: the list of variants is empty", reason="no-variant")
    # Shorter lists cannot pass the limit.
    if len(variants) * MAX_ROW_BYTES > MAX_VARIANTS_BYTES:
        size = len(variants) * len(json.dumps(payload))
        if size > MAX_VARIANTS_BYTES:
            raise InvalidUpdate(
                f"{mapping.vendor}: the packets of {len(variants):,} variants would have "
                f"{size:,} bytes, at most {MAX_VARIANTS_BYTES:,} are allowed",
                reason="too-many-variants",
            )
    return [{**payload, "variant": variant} for variant in variants]
