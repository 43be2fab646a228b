"""Index the second world as the catalog flow would, match its looks, and compare with the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO

from PIL import Image

from evaluation.sandbox.second_world_report import SecondWorldLayer
from operators.budget import Budget
from operators.catalog.parts import CatalogParts
from operators.concurrency import gather_or_cancel
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from operators.ports import IndexedAttributes
from operators.vocabulary.price_bucket import price_bucket
from sandbox.second_world import Box, PlannedLook, Product, SecondWorld
from schemas.attributes import Attribute, Department, Gender, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.looks import ImageReference, LayerMatch, Look, LookMatches, Preferences, Region
from schemas.money import Money

Advance = Callable[[], object]
"""Called after each product or look."""

PRODUCTS_AT_ONCE = 64
LOOKS_AT_ONCE = 4
"""So that models see batches, and few pictures are in memory."""

SECONDS_PER_LOOK = 120.0
"""No look is late: quality is measured."""


async def index_second_world(world: SecondWorld, parts: CatalogParts, advance: Advance) -> None:
    """Write every product to the index, the ledger and the thumbnails, as its vendor states it."""

    async def write(product: Product) -> None:
        picture = await asyncio.to_thread(world.picture_of, product)
        vector = await parts.encoder.encode_image(picture)
        await parts.thumbnails.put(product.key, picture)
        await parts.index.upsert(product.key, vector, _indexed(product))
        await parts.ledger.write(_entry(product))
        advance()

    for start in range(0, len(world.products), PRODUCTS_AT_ONCE):
        await gather_or_cancel(map(write, world.products[start : start + PRODUCTS_AT_ONCE]))


async def match_second_world(
    world: SecondWorld, parts: MatchParts, advance: Advance
) -> list[SecondWorldLayer]:
    """Match every look and judge its layers: those visible, and those reported."""
    products = {product.key: product for product in world.products}
    families: dict[int, set[str]] = {}
    for product in world.products:
        families.setdefault(product.family, set()).add(product.key)
    places = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def match(planned: PlannedLook) -> list[SecondWorldLayer]:
        async with places:
            drawn = await asyncio.to_thread(world.drawn, planned)
            look = _look(planned, drawn.picture)
            event = await match_look(look, parts, Budget.of(SECONDS_PER_LOOK))
        advance()
        return judge(planned, drawn.boxes, event, products, families)

    judged = await gather_or_cancel(map(match, world.looks))
    return [layer for layers in judged for layer in layers]


def judge(
    planned: PlannedLook,
    boxes: dict[str, Box],
    event: LookMatches,
    products: dict[str, Product],
    families: dict[int, set[str]],
) -> list[SecondWorldLayer]:
    """The look's layers. ``boxes``: of the departments that can be seen."""
    reported = {str(match.layer): match for match in event.layers}
    return [
        _judge_layer(
            planned, department, boxes.get(department), reported.get(department), products, families
        )
        for department in sorted(boxes.keys() | reported.keys())
    ]


def _judge_layer(
    planned: PlannedLook,
    department: str,
    box: Box | None,
    match: LayerMatch | None,
    products: dict[str, Product],
    families: dict[int, set[str]],
) -> SecondWorldLayer:
    worn = planned.worn[department] if box is not None else None
    ranked = tuple(one.product.key for one in match.products) if match is not None else ()
    first = products[ranked[0]] if ranked else None
    agrees = (False, False, False)
    if worn is not None and first is not None:
        a, b = worn.style, first.style
        agrees = (a.category == b.category, a.colour == b.colour, a.pattern == b.pattern)
    return SecondWorldLayer(
        look_id=planned.look_id,
        department=department,
        worn=worn.key if worn is not None else None,
        excluded=worn is not None and department in planned.excluded,
        near_duplicates=frozenset(families[worn.family] - {worn.key}) if worn else frozenset(),
        reported=match is not None,
        overlap=_overlap(box, match.region if match is not None else None),
        ranked=ranked,
        agrees=agrees,
    )


def _overlap(box: Box | None, region: Region | None) -> float:
    if box is None or region is None:
        return 0.0
    width = min(box[2], region.x1) - max(box[0], region.x0)
    height = min(box[3], region.y1) - max(box[1], region.y0)
    shared = max(width, 0.0) * max(height, 0.0)
    areas = (box[2] - box[0]) * (box[3] - box[1]) + (region.x1 - region.x0) * (
        region.y1 - region.y0
    )
    return shared / (areas - shared)


def _look(planned: PlannedLook, picture: Image.Image) -> Look:
    encoded = BytesIO()
    picture.save(encoded, "JPEG", quality=90)
    currency = next(iter(planned.worn.values())).currency

    def money(amount: int | None) -> Money | None:
        return None if amount is None else Money(amount_minor=amount, currency=currency)

    return Look(
        look_id=planned.look_id,
        image=ImageReference.model_construct(url=None, data=encoded.getvalue()),
        market=planned.market,
        gender=Gender(planned.gender),
        preferences=Preferences(
            sizes={Department(name): (size,) for name, size in planned.sizes.items()},
            min_price=money(planned.min_price_minor),
            max_price=money(planned.max_price_minor),
        ),
    )


def _indexed(product: Product) -> IndexedAttributes:
    return IndexedAttributes(
        department=product.style.department,
        category=product.stated_category,
        gender=product.gender,
        colour=product.stated_colour,
        pattern=product.style.pattern,
        brand=product.brand.casefold(),
        market=product.market,
        sizes=product.sizes,
        in_stock=True,
        price_bucket=price_bucket(_price(product)),
        currency=product.currency,
        style=product.key,
        image_hash=f"{product.picture_seed:08x}",
    )


def _entry(product: Product) -> LedgerEntry:
    def stated(value: str) -> Attribute:
        return Attribute(value=value, source="vendor", confidence=1.0)

    return LedgerEntry(
        key=product.key,
        version=1,
        update=ProductUpdate(
            title=product.key,
            brand=product.brand,
            stock=1,
            market=product.market,
            style_id=product.key,
            price=_price(product),
        ),
        attributes=StandardAttributes(
            department=stated(product.style.department),
            category=stated(product.stated_category),
            gender=stated(product.gender),
            colour=stated(product.stated_colour),
            pattern=stated(product.style.pattern),
            sizes=product.sizes,
        ),
        image_hash=f"{product.picture_seed:08x}",
        indexed=True,
    )


def _price(product: Product) -> Money:
    return Money(amount_minor=product.price_minor, currency=product.currency)
