"""Cached results of looks, keyed by the pictures and everything else a result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from operators.matching.parts import MatchParts
from operators.ports import Picture
from operators.vocabulary.views import product_of
from schemas.errors import LedgerLost, Unavailable
from schemas.looks import Look, LookMatches


def cache_key(look: Look, pictures: Sequence[Picture], parts: MatchParts) -> str:
    """Equal for two looks exactly when, with the same catalog, they get the same result."""
    context = look.model_dump_json(
        include={"market", "gender", "preferences", "inferred", "person"}
    )
    everything = (
        [picture.pixel_hash for picture in pictures],
        context,
        parts.settings.model_dump_json(),
        parts.calibration.model_dump_json(),
        parts.encoder.fingerprint,
        parts.vlm.fingerprint if parts.vlm else None,
        parts.segmenter.fingerprint if parts.segmenter else None,
        parts.query_segmenter.fingerprint if parts.query_segmenter else None,
        parts.index.generation,
    )
    digest = hashlib.sha256(json.dumps(everything).encode()).hexdigest()
    return f"looks.matched/{digest}"


async def lookup(key: str, parts: MatchParts) -> LookMatches | None:
    """The cached result; None if there is none or one of its products has changed since.

    Any change of a product (price, stock, attributes, deletion) invalidates the result. New
    products appear once the result has expired.
    """
    if parts.cache is None or parts.settings.cache_seconds == 0:
        return None
    try:
        cached = await parts.cache.get(key)
    except Unavailable:
        return None
    if cached is None:
        return None
    try:
        result = LookMatches.model_validate_json(cached)
    except ValidationError:  # stored by another version of this program
        return None
    products = [match.product for layer in result.layers for match in layer.products]
    try:
        entries = await parts.ledger.read_many(
            [product.key for product in products],
            lambda _: None,  # counts as changed, so the look is matched again
        )
    except (Unavailable, LedgerLost):
        if parts.require_ledger:
            raise
        return None
    now = datetime.now(UTC)
    unchanged = all(
        entry is not None and entry.exists and product_of(entry, now) == product
        for entry, product in zip(entries, products, strict=True)
    )
    return result if unchanged else None


async def store(key: str, result: LookMatches, parts: MatchParts) -> None:
    """Cache a result, unless it is degraded."""
    if parts.cache is None or parts.settings.cache_seconds == 0 or result.degraded:
        return
    try:
        await parts.cache.put(key, result.model_dump_json().encode(), parts.settings.cache_seconds)
    except Unavailable:
        return  # caching is best effort
