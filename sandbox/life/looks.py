"""Looks and their truth: each layer is an exact product, a near one, or absent."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sandbox.life.assortment import CURRENCIES, FEMALE_TYPES, MARKETS
from sandbox.life.timeline import SPAN_MS, START_MS
from sandbox.life.truth import (
    GarmentTruth,
    LayerKind,
    LayerTruth,
    LookTruth,
    ProductTruth,
    admissible,
)
from sandbox.world import (
    DEPARTMENT_OF,
    PLAIN_TYPES,
    Box,
    Garment,
    near_garment,
    same_visible,
    sample_garment,
    sample_outfit,
    visible,
)
from schemas.attributes import Department, Gender
from schemas.looks import ImageReference, Look, Preferences
from schemas.money import Money

_MARKET_SHARE = 0.75
_GENDER_SHARE = 0.5
_EXCLUDED_BRAND_SHARE = 0.15
_BRANDS_SHARE = 0.1
_MAX_PRICE_SHARE = 0.15
_SIZE_SHARE = 0.15
_ABSENT_SHARE = 0.4
"""Of the layers whose department has a type that no vendor sells."""
_NEAR_SHARE = 0.3
"""Of the others."""
_REPEATED_SHARE = 0.04
_TRIES = 30


@dataclass(frozen=True, slots=True)
class PlannedLook:
    """A look before it is drawn."""

    look: Look
    picture_file: str
    outfit: dict[str, Garment]
    kinds: dict[str, LayerKind]
    worn: tuple[str, ...]
    """Keys of the products that its exact and near layers are drawn after."""


class Shelves:
    """The live products by department, from which looks are planned."""

    def __init__(self, products: Iterable[ProductTruth], withheld: Iterable[str]) -> None:
        self.by_department: dict[str, list[ProductTruth]] = defaultdict(list)
        for product in products:
            if product.live:
                self.by_department[product.garment.department].append(product)
        self.withheld: dict[str, list[str]] = defaultdict(list)
        for kind in sorted(withheld):
            self.withheld[DEPARTMENT_OF[kind]].append(kind)

    def admitted(self, department: str, look: Look) -> list[ProductTruth]:
        return [p for p in self.by_department[department] if admissible(p, look)]


def plan_looks(
    shelves: Shelves, many: int, folder_url: str, rng: random.Random
) -> list[PlannedLook]:
    """Plan ``many`` looks with their filters; pictures go to the folder of ``folder_url``."""
    return [plan_look(shelves, number, folder_url, rng) for number in range(many)]


def truth_of(planned: PlannedLook, boxes: Mapping[str, Box], shelves: Shelves) -> LookTruth:
    """Return the truth about a drawn look. A fully hidden garment is not a layer."""
    layers = {}
    for department, garment in visible(planned.outfit).items():
        if department not in boxes:
            continue
        products = _wearing(garment, shelves.admitted(department, planned.look))
        layers[department] = LayerTruth(
            kind=planned.kinds[department],
            garment=GarmentTruth.of(garment),
            box=boxes[department],
            products=tuple(sorted(p.key for p in products)),
        )
    return LookTruth(look_id=planned.look.look_id, picture_file=planned.picture_file, layers=layers)


def in_publishing_order(planned: Sequence[PlannedLook], rng: random.Random) -> list[Look]:
    """Return the looks in order, with a few repeated later."""
    looks = [one.look for one in planned]
    repeated = rng.sample(looks, round(len(looks) * _REPEATED_SHARE))
    for look in repeated:
        first = looks.index(look)
        looks.insert(rng.randint(first + 1, len(looks)), look)
    return looks


def plan_look(shelves: Shelves, number: int, folder_url: str, rng: random.Random) -> PlannedLook:
    """Plan the look of this number with its filters."""
    look_id = f"look-{number:05d}"
    departments = tuple(sample_outfit(rng))
    look = Look(
        look_id=look_id,
        image=ImageReference(url=f"{folder_url}/{look_id}.jpg", data=None),
        user_id=f"user-{rng.randrange(1000):03d}",
        market=rng.choice(tuple(MARKETS.values())) if rng.random() < _MARKET_SHARE else None,
        gender=_gender(rng, departments),
        created_at=datetime.fromtimestamp((START_MS + SPAN_MS) / 1000, UTC)
        + timedelta(days=1, seconds=number),
    )
    outfit: dict[str, Garment] = {}
    kinds: dict[str, LayerKind] = {}
    worn: list[ProductTruth] = []
    under_outerwear = "outerwear" in departments
    for department in departments:
        kind, garment, product = _layer(shelves, department, look, under_outerwear, rng)
        outfit[department], kinds[department] = garment, kind
        if product is not None:
            worn.append(product)
    look = look.model_copy(update={"preferences": _preferences(shelves, look, worn, rng)})
    return PlannedLook(look, f"{look_id}.jpg", outfit, kinds, tuple(p.key for p in worn))


def _gender(rng: random.Random, departments: Sequence[str]) -> Gender | None:
    if rng.random() >= _GENDER_SHARE:
        return None
    return rng.choice((Gender.FEMALE, Gender.MALE)) if "dress" not in departments else Gender.FEMALE


def _layer(
    shelves: Shelves, department: str, look: Look, under_outerwear: bool, rng: random.Random
) -> tuple[LayerKind, Garment, ProductTruth | None]:
    """Plan one layer: its kind, the garment worn, and the exact or near product."""
    admitted = shelves.admitted(department, look)
    absent = [
        kind
        for kind in shelves.withheld[department]
        if look.gender is not Gender.MALE or kind not in FEMALE_TYPES
    ]
    if not admitted or (absent and rng.random() < _ABSENT_SHARE):
        kinds = absent or shelves.withheld[department]
        if kinds:
            return "absent", sample_garment(rng, type=rng.choice(kinds)), None
    if not admitted:
        # No product of the department passes the look's filters, so any garment is absent.
        return "absent", sample_garment(rng, department), None
    if rng.random() < _NEAR_SHARE:
        found = _near(admitted, under_outerwear, rng)
        if found is not None:
            return "near", *found
    product = rng.choice(admitted)
    return "exact", product.garment.garment(), product


def _near(
    admitted: Sequence[ProductTruth], under_outerwear: bool, rng: random.Random
) -> tuple[Garment, ProductTruth] | None:
    """Find an unsold garment that differs from a product in one attribute; None after 30 tries."""
    sold = {product.garment.type for product in admitted}
    for _ in range(_TRIES):
        product = rng.choice(admitted)
        if product.garment.type in PLAIN_TYPES:
            continue  # sold in nearly every colour
        garment = near_garment(product.garment.garment(), rng)
        seen = _as_seen(garment, under_outerwear)
        if garment.type in sold and not _wearing(seen, admitted):
            return garment, product
    return None


def _as_seen(garment: Garment, under_outerwear: bool) -> Garment:
    hides = under_outerwear and garment.department in ("top", "dress")
    return replace(garment, sleeve=None) if hides else garment


def _wearing(seen: Garment, products: Iterable[ProductTruth]) -> list[ProductTruth]:
    return [
        p
        for p in products
        if p.garment.type == seen.type and same_visible(seen, p.garment.garment())
    ]


def _preferences(
    shelves: Shelves, look: Look, worn: Sequence[ProductTruth], rng: random.Random
) -> Preferences:
    """Draw preferences that the worn products satisfy and others do not."""
    filters: dict[str, object] = {}
    departments = {product.garment.department for product in worn}
    others = {p.brand for name in departments for p in shelves.admitted(name, look)}
    brands = sorted(others - {product.brand for product in worn})
    if brands and rng.random() < _EXCLUDED_BRAND_SHARE:
        filters["excluded_brands"] = (rng.choice(brands),)
    elif brands and worn and rng.random() < _BRANDS_SHARE:
        filters["brands"] = tuple(sorted({product.brand for product in worn}))
    if look.market is not None and worn and rng.random() < _MAX_PRICE_SHARE:
        vendor = next(name for name, market in MARKETS.items() if market == look.market)
        dearest = max(product.price_minor for product in worn)
        filters["max_price"] = Money(amount_minor=dearest * 5 // 4, currency=CURRENCIES[vendor])
    sized = [product for product in worn if product.size is not None]
    if sized and rng.random() < _SIZE_SHARE:
        one = rng.choice(sized)
        filters["sizes"] = {Department(one.garment.department): (str(one.size),)}
    return Preferences.model_validate(filters)
