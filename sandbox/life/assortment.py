"""The vendors' assortments: styles of one garment each, with their sizes as items."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from sandbox.world import (
    DEPARTMENTS,
    PLAIN_TYPES,
    TYPES,
    Garment,
    sample_garment,
)

Stated = Literal["field", "title", "nowhere"]
"""Where a vendor states an attribute: in its field, only in the title, or nowhere."""

Gender = Literal["female", "male", "unisex"]

FEMALE_TYPES = frozenset(
    {"blouse", "sundress", "shirt dress", "evening gown", "skirt", "heels", "handbag"}
)
"""Always sold as female, so that a gender inferred from the type is never wrong."""

MARKETS = {"zari": "IN", "northfold": "US", "kisetsu": "JP"}
CURRENCIES = {"zari": "INR", "northfold": "USD", "kisetsu": "JPY"}

_SHARES = {"zari": 0.4, "northfold": 0.35, "kisetsu": 0.25}
_BRANDS = {
    "zari": ("Sundari", "Nima", "Rua", "Devkala", "Indus Lane"),
    "northfold": ("Northlane", "Aldra", "Vale & Orr", "Fold Supply", "Harrow Peak"),
    "kisetsu": ("Tomoe", "Kesto", "四季工房", "Hinata", "Yuragi"),
}
# Median price in whole rupees, dollars and yen, by department; prices are log-normal around it.
_PRICES = {
    "headwear": (799, 25, 2900),
    "eyewear": (1299, 60, 6900),
    "outerwear": (4499, 150, 16800),
    "top": (1199, 40, 4900),
    "dress": (2799, 90, 9800),
    "bottom": (1799, 60, 6900),
    "bag": (2299, 80, 8900),
    "footwear": (2999, 95, 9900),
}
_SIZES = {
    "zari": {"footwear": ("UK", ("5", "6", "7", "8", "9"))},
    "northfold": {
        "footwear": ("US", ("6", "7", "8", "9", "10")),
        "dress": ("US", ("2", "4", "6", "8", "10")),
    },
    "kisetsu": {"footwear": ("CM", ("23.5", "24.5", "25.5", "26.5", "27.5"))},
}
_ALPHA = ("ALPHA", ("XS", "S", "M", "L", "XL"))
_ONE_SIZE = frozenset({"headwear", "eyewear", "bag"})

_TWIN_SHARE = 0.05
"""Styles with the garment of an earlier style, photographed again."""
_UNTOLD_SHARE = 0.03
"""Per attribute, styles whose vendor states it nowhere."""
_TITLE_ONLY_SHARE = 0.05


@dataclass(slots=True)
class Item:
    """A purchasable size of a style; the timeline changes it."""

    product_id: str
    size: tuple[str, str] | None
    """System and value, e.g. ("UK", "8"); None: one size."""
    price: int
    """Whole rupees, dollars' cents, or yen: minor units of the vendor's currency (INR: paise)."""
    list_price: int | None
    stock: int | None
    """Pieces; None: the vendor does not state the number."""
    pictures: list[str] = field(default_factory=list)
    """File names, main picture first."""
    tagline: str = ""

    @property
    def in_stock(self) -> bool:
        return self.stock != 0


@dataclass(slots=True)
class Style:
    """One garment as one vendor sells it."""

    vendor: str
    style_id: str
    garment: Garment
    brand: str
    gender: Gender | None
    """None: stated nowhere."""
    gender_stated: Literal["field", "category", "nowhere"]
    colour_stated: Stated
    pattern_stated: Stated
    category_stated: Stated
    items: list[Item]
    drawn: list[str]
    """Content ids of its first pictures. Each is drawn once and may be served under many names."""


def stock_styles(
    rng: random.Random, products: int, pictured: int | None = None
) -> tuple[list[Style], frozenset[str]]:
    """Draw styles with ``products`` items in total, and the garment types that no vendor sells.

    ``pictured``: at most this many styles have their own pictures; the others resell one of them
    with the same picture files (for catalogs too large to draw).
    """
    withheld = _withheld_types(rng)
    garments = _distinct_garments(rng, withheld)
    styles: list[Style] = []
    items = 0
    while items < products:
        number = len(styles)
        vendor = _vendor(rng)
        resold: Style | None = None
        if pictured is not None and number >= pictured:
            resold = styles[rng.randrange(pictured)]
            garment = resold.garment
        elif number > 20 and rng.random() < _TWIN_SHARE:
            garment = rng.choice(styles).garment
        else:
            garment = next(garments)
        style = _style(rng, vendor, number, garment, products - items)
        if resold is not None:
            style.drawn = resold.drawn
            _show(style)
        styles.append(style)
        items += len(style.items)
    return styles, withheld


def new_style(rng: random.Random, number: int, withheld: frozenset[str]) -> Style:
    """Draw one more style, of a garment that vendors sell."""
    garment = next(_distinct_garments(rng, withheld))
    return _style(rng, _vendor(rng), number, garment, most=3)


def _vendor(rng: random.Random) -> str:
    return rng.choices(tuple(_SHARES), tuple(_SHARES.values()))[0]


def _show(style: Style) -> None:
    for item in style.items:
        item.pictures = [f"{name}.jpg" for name in style.drawn]


def _withheld_types(rng: random.Random) -> frozenset[str]:
    """Draw four types of four departments, of which each keeps at least two types."""
    departments = [name for name, types in DEPARTMENTS.items() if len(types) > 2]
    return frozenset(rng.choice(DEPARTMENTS[name]) for name in rng.sample(departments, 4))


def _distinct_garments(rng: random.Random, withheld: frozenset[str]) -> Iterator[Garment]:
    """Yield garments not seen before while eight draws find one, then any garment.

    Plain types have less weight: they come in only twelve colours and would otherwise repeat too
    often in a large catalog.
    """
    types = [name for name in TYPES if name not in withheld]
    weights = [0.4 if name in PLAIN_TYPES else 1.0 for name in types]
    seen: set[Garment] = set()
    while True:
        garment = sample_garment(rng, type=rng.choices(types, weights)[0])
        for _ in range(8):
            if garment not in seen:
                break
            garment = sample_garment(rng, type=rng.choices(types, weights)[0])
        seen.add(garment)
        yield garment


def _style(rng: random.Random, vendor: str, number: int, garment: Garment, most: int) -> Style:
    gender, gender_stated = _gender(rng, vendor, garment)
    base = _price(rng, vendor, garment.department)
    reduced = rng.random() < 0.3
    sizes = _sizes(rng, vendor, garment.department)[:most]
    code = f"{vendor[0].upper()}{number:06d}"
    style = Style(
        vendor=vendor,
        style_id=code,
        garment=garment,
        brand=rng.choice(_BRANDS[vendor]),
        gender=gender,
        gender_stated=gender_stated,
        colour_stated=_stated(rng),
        pattern_stated=_stated(rng),
        category_stated=_stated(rng),
        items=[
            Item(
                product_id=f"{code}-{position + 1}",
                size=size,
                price=base,
                list_price=base * 5 // 4 if reduced else None,
                stock=_stock(rng, vendor),
            )
            for position, size in enumerate(sizes)
        ],
        drawn=[f"{code}-p{view}" for view in range(rng.choice((1, 1, 1, 2)))],
    )
    _show(style)
    return style


def _stated(rng: random.Random) -> Stated:
    draw = rng.random()
    if draw < _UNTOLD_SHARE:
        return "nowhere"
    return "title" if draw < _UNTOLD_SHARE + _TITLE_ONLY_SHARE else "field"


def _gender(
    rng: random.Random, vendor: str, garment: Garment
) -> tuple[Gender | None, Literal["field", "category", "nowhere"]]:
    if garment.type in FEMALE_TYPES:
        gender: Gender = "female"
    else:
        gender = rng.choices(("female", "male", "unisex"), (4, 4, 2))[0]
        if rng.random() < 0.03:
            return None, "nowhere"
    if vendor == "kisetsu":
        return gender, "category"
    if vendor == "zari" and gender != "unisex" and rng.random() < 0.3:
        return gender, "category"
    return gender, "field"


def _price(rng: random.Random, vendor: str, department: str) -> int:
    rupees, dollars, yen = _PRICES[department]
    spread = rng.lognormvariate(0.0, 0.35)
    if vendor == "zari":
        return (round(rupees * spread / 100) * 100 + 99) * 100
    if vendor == "northfold":
        return max(5, round(dollars * spread)) * 100 - 1
    return max(5, round(yen * spread / 100)) * 100


def _sizes(rng: random.Random, vendor: str, department: str) -> list[tuple[str, str] | None]:
    if department in _ONE_SIZE:
        return [None]
    system, values = _SIZES[vendor].get(department, _ALPHA)
    many = rng.choice((1, 1, 1, 2, 2, 3))
    start = rng.randrange(len(values) - many + 1)
    return [(system, value) for value in values[start : start + many]]


def _stock(rng: random.Random, vendor: str) -> int | None:
    if rng.random() < 0.06:
        return 0
    if vendor == "kisetsu" and rng.random() < 0.2:
        return None
    return rng.randint(1, 40)
