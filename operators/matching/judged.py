"""A catalog judges itself: how similar is a product to itself, and to others?

A view of a product stands for a layer of a look: another picture of it where the vendor has one,
otherwise its own picture, cropped, turned and lit differently. The layer is ranked as in a look;
whether a product that is found is the very item (the product itself, or a near-duplicate of it), or
of its kind (same category), is known. For two thirds of the layers the item, or all of its kind,
are hidden as if they were not sold: most looks show what no shop sells as such.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from heapq import heappush, heappushpop
from typing import cast

from PIL import Image, ImageEnhance, ImageOps

from operators.budget import Budget
from operators.concurrency import gather_or_cancel
from operators.matching.layers import Layer
from operators.matching.look_run import LookRun
from operators.matching.parts import MatchParts
from operators.matching.rank import RankedLayer, rank_layer
from operators.matching.ranked_product import RankedProduct
from operators.ports import Candidate, Filters, Located, Vector, VectorStore
from schemas.attributes import Department
from schemas.catalog import LedgerEntry
from schemas.errors import DeadlineExceeded, ImageRefused, Unavailable, UnreadableEntry
from schemas.looks import WHOLE_PICTURE, ImageReference, Look

AT_ONCE = 16
SECONDS_PER_LAYER = 60.0
DEEPEST = 1000
"""Most candidates that are searched for some that are not hidden."""


class Sold(StrEnum):
    """What the shop has of a layer."""

    ITEM = "item"
    KIND = "kind"
    """Others of its kind."""
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class JudgedProduct:
    """A product that was found for a layer."""

    features: dict[str, float]
    """See operators.matching.confidence_features."""
    same_item: bool
    same_kind: bool


@dataclass(frozen=True, slots=True)
class JudgedLayer:
    """The products found for one layer, best first."""

    sold: Sold
    products: tuple[JudgedProduct, ...]


async def judge_catalog(parts: MatchParts, sample: int, seed: int) -> list[JudgedLayer]:
    """Judge the layers of at most ``sample`` products, each of Sold in turn.

    One catalog and ``seed`` always give the same products, views and order. The tagger describes
    the layers: what a vision-language model says of product pictures is another thing than what it
    says of looks. Products without a category or a picture are left out. Raises Unavailable when
    the index or the ledger does not answer.
    """
    parts = replace(parts, calibration=parts.calibration.being_fitted(), vlm=None)
    entries = await parts.ledger.read_many(await _draw(parts.index, sample, seed), _leave_out)
    cases = [*Sold] * (len(entries) // len(Sold) + 1)
    drawn = [
        (entry, sold, random.Random(_rank(entry.key, seed)))
        for entry, sold in zip(entries, cases, strict=False)
        if entry is not None and entry.attributes.category is not None
    ]
    judged: list[JudgedLayer | None] = []
    for first in range(0, len(drawn), AT_ONCE):
        judged += await gather_or_cancel(
            _judge(parts, *one) for one in drawn[first : first + AT_ONCE]
        )
    return [layer for layer in judged if layer is not None]


async def _draw(index: VectorStore, sample: int, seed: int) -> list[str]:
    """Keys of products that can be found, each equally likely.

    Those with the lowest hashes (bottom-k sampling, Cohen and Kaplan 2007, Summarizing Data using
    Bottom-k Sketches): the order in which the index is read, which differs from one index of a
    catalog to the next, does not matter.
    """
    drawn: list[tuple[int, str]] = []
    async for key, attributes in index.scan():
        if attributes.department is None or attributes.category is None or not attributes.in_stock:
            continue
        ranked = (-_rank(key, seed), key)
        if len(drawn) < sample:
            heappush(drawn, ranked)
        else:
            heappushpop(drawn, ranked)
    return [key for _, key in sorted(drawn, reverse=True)]


def _rank(key: str, seed: int) -> int:
    text = f"{seed} {key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def _leave_out(error: UnreadableEntry) -> None:
    """One entry that cannot be read is one product less."""


async def _judge(
    parts: MatchParts, entry: LedgerEntry, sold: Sold, chance: random.Random
) -> JudgedLayer | None:
    stored = await parts.index.get(entry.key)
    picture = await _view(parts, entry, chance)
    if stored is None or picture is None or entry.attributes.department is None:
        return None
    department = Department(entry.attributes.department.value)
    region = await parts.encoder.encode_image(picture)
    layer = Layer(department, picture, Located(WHOLE_PICTURE, 1.0), picture, region, None)
    twin_from = parts.settings.duplicate_similarity
    category = stored.attributes.category

    def is_item(vector: Vector, key: str) -> bool:
        return key == entry.key or float(vector @ stored.vector) >= twin_from

    def hidden(one: Candidate) -> bool:
        if sold is Sold.NEITHER and one.attributes.category in (category, None):
            return True
        return sold is not Sold.ITEM and is_item(one.vector, one.key)

    index = cast(VectorStore, _Without(parts.index, hidden))  # nothing but search is used
    look = Look(look_id="calibrate", image=ImageReference.model_construct(url=None, data=b""))
    run = LookRun(look, replace(parts, index=index), Budget.of(SECONDS_PER_LAYER))
    try:
        ranked = await rank_layer(run, layer)
    except DeadlineExceeded:
        return None
    return JudgedLayer(sold, _judgements(ranked, is_item, category))


def _judgements(
    ranked: RankedLayer, is_item: Callable[[Vector, str], bool], category: str | None
) -> tuple[JudgedProduct, ...]:
    def judge(product: RankedProduct, features: dict[str, float]) -> JudgedProduct:
        same_item = is_item(product.vector, product.key)
        return JudgedProduct(
            features, same_item, same_item or product.attributes.category == category
        )

    return tuple(map(judge, ranked.products[: len(ranked.features)], ranked.features))


async def _view(parts: MatchParts, entry: LedgerEntry, chance: random.Random) -> Image.Image | None:
    """Another picture of the product, or its thumbnail seen differently; None without either."""
    for url in entry.update.image_urls[1:2]:
        try:
            vendor = entry.key.partition(":")[0]
            return (await parts.pictures.fetch(ImageReference(url=url), vendor)).image
        except (ImageRefused, Unavailable):
            continue
    thumbnail = await parts.thumbnails.get(entry.key)
    if thumbnail is None:
        return None
    return see_differently(Image.open(io.BytesIO(thumbnail)).convert("RGB"), chance)


def see_differently(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Another view of ``picture``: turned by up to 8 degrees, three quarters to all of each side,
    perhaps mirrored, brighter or darker by up to a third."""
    white = (255, 255, 255)
    turned = picture.rotate(chance.uniform(-8, 8), Image.Resampling.BICUBIC, fillcolor=white)
    width, height = (int(side * chance.uniform(0.75, 1.0)) or 1 for side in picture.size)
    x, y = (
        chance.randrange(picture.width - width + 1),
        chance.randrange(picture.height - height + 1),
    )
    part = turned.crop((x, y, x + width, y + height))
    if chance.random() < 0.5:
        part = ImageOps.mirror(part)
    return ImageEnhance.Brightness(part).enhance(chance.uniform(0.67, 1.33))


class _Without:
    """A vector store without the products that are hidden."""

    def __init__(self, index: VectorStore, hidden: Callable[[Candidate], bool]) -> None:
        self._index = index
        self._hidden = hidden
        self.generation = index.generation

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        asked = limit
        while True:
            found = await self._index.search(vector, filters, asked)
            left = [one for one in found if not self._hidden(one)]
            if len(left) >= limit or len(found) < asked or asked >= DEEPEST:
                return left[:limit]
            asked = min(DEEPEST, 4 * asked)
