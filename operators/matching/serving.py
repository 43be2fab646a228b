"""Serve a match some time after it was made: with the products as they are now."""

from __future__ import annotations

import json
import zlib
from datetime import datetime
from typing import Any

from operators.matching.eligibility import passes
from operators.ports import Ledger
from operators.vocabulary.views import product_of
from schemas.looks import LayerMatch, LookMatches, MatchedProduct

LARGEST = 16 * 2**20
"""Bytes of a kept match once decompressed."""


def to_keep(event: LookMatches) -> bytes:
    """The event without the products' facts, which the ledger has, compressed: about 2 kB."""
    kept = event.model_dump(mode="json")
    for layer in kept["layers"]:
        for product in layer["products"]:
            product["product"] = product["product"]["key"]
    return zlib.compress(json.dumps(kept, separators=(",", ":")).encode())


def from_kept(value: bytes) -> dict[str, Any]:
    """What :func:`to_keep` made. Raises ValueError for anything else."""
    stream = zlib.decompressobj()
    try:
        found = json.loads(stream.decompress(value, LARGEST))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("not an event")
    return found


async def serve(kept: dict[str, Any], ledger: Ledger, shown: int, moment: datetime) -> LookMatches:
    """The event with the products as of ``moment``, at most ``shown`` per layer.

    Products that are gone, sold out, or no longer what the look asked for are left out; those
    beyond ``shown`` take their places. Raises Unavailable or LedgerLost, and ValidationError for a
    match that another version of this program has kept.
    """
    keys = {one["product"] for layer in kept["layers"] for one in layer["products"]}
    entries = await ledger.read_many(sorted(keys), lambda _: None)
    found = {entry.key: entry for entry in entries if entry is not None}
    event = LookMatches.model_validate({**kept, "layers": []})
    layers = []
    for layer in kept["layers"]:
        match = LayerMatch.model_validate({**layer, "products": []})
        offered = [
            (one, product_of(found[one["product"]], moment))
            for one in layer["products"]
            if one["product"] in found
            and passes(found[one["product"]], event, match.layer, (event.preferences,), moment)
        ]
        products = tuple(
            MatchedProduct.model_validate({**one, "rank": rank, "product": product})
            for rank, (one, product) in enumerate(offered[:shown], start=1)
        )
        changes: dict[str, Any] = {"products": products}
        if layer["products"]:
            changes["outcome"] = products[0].outcome if products else "none"
            changes["abstained"] = None if products else "no-longer-offered"
        layers.append(match.model_copy(update=changes))
    return event.model_copy(update={"layers": tuple(layers)})
