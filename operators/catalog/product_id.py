"""Product ids as files and payloads write them."""

from __future__ import annotations

import re

from schemas.errors import InvalidUpdate

_NOT_SEEN = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\x00-\x1f\x7f]")
"""Letters without a width, direction marks, soft hyphens and controls: spreadsheets leave them in
ids, where they make two products of one."""

_FIRST_TOO_LONG = 10**40
"""Python refuses to print numbers of thousands of digits."""


def parse_product_id(value: object) -> str:
    """The id in ``value``, a text or a whole number. Raises InvalidUpdate when there is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = ""
    if isinstance(value, str):
        text = _NOT_SEEN.sub("", value).strip()
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) < _FIRST_TOO_LONG:
        text = str(value)
    if not text:
        raise InvalidUpdate("the row has no product id", reason="missing-id")
    if "\ufffd" in text:
        # Two ids that lost different letters must not become one product.
        raise InvalidUpdate(f"the product id {text[:80]!r} is damaged", reason="invalid-id")
    return text
