"""The catalog: families of near-duplicate styles, sold by vendors whose data may be wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.second_world.shades import NAMED
from sandbox.second_world.styles import FEMALE, KINDS, MALE, Style, near_duplicate, sample_style

FAMILY = 11
"""Styles of a family: each has ten near-duplicates."""

WRONG_SHARE = 0.05
"""Products of which the vendor states another colour or category."""

_WEIGHTS = {"top": 2.0, "bottom": 1.6, "footwear": 1.5, "outerwear": 1.3, "dress": 1.2, "bag": 1.2}
"""Of departments; others have 1."""

_CURRENCY = {"IN": "INR", "US": "USD", "JP": "JPY"}
_MINOR = {"INR": 100, "USD": 100, "JPY": 1}
_RATE = {"INR": 60.0, "USD": 1.0, "JPY": 120.0}
"""Price levels against the dollar's."""
_DOLLARS = {
    "top": 35,
    "bottom": 50,
    "dress": 80,
    "outerwear": 130,
    "footwear": 85,
    "bag": 70,
    "headwear": 22,
    "eyewear": 55,
    "jewellery": 40,
    "watch": 110,
    "belt": 28,
    "scarf": 30,
    "ethnic_wear": 95,
}
_VENDORS = {"IN": ("rangoli", "mayura"), "US": ("plainfield", "otter"), "JP": ("aoba", "kagari")}
_BRANDS = ("Alder", "Bento", "Coro", "Dhara", "Ember", "Fjord", "Gulmohar", "Hoshi")
SIZED = frozenset({"top", "bottom", "dress", "outerwear", "footwear", "ethnic_wear"})
_ALPHA = ("ALPHA:XS", "ALPHA:S", "ALPHA:M", "ALPHA:L", "ALPHA:XL")
_SHOES = ("EU:37", "EU:38", "EU:39", "EU:40", "EU:41", "EU:42")


@dataclass(frozen=True, slots=True)
class Product:
    """One style as its vendor sells it."""

    key: str
    """vendor:product_id; says nothing about the family."""
    family: int
    style: Style
    market: str
    gender: str
    brand: str
    price_minor: int
    currency: str
    sizes: tuple[str, ...]
    """Empty: one size."""
    stated_category: str
    stated_colour: str
    picture_seed: int

    @property
    def stated_wrongly(self) -> bool:
        return (self.stated_category, self.stated_colour) != (
            self.style.category,
            self.style.colour,
        )


def stock(rng: random.Random, products: int) -> list[Product]:
    """Exactly ``products`` products, in families; the last family may be smaller."""
    codes = rng.sample(range(10 * products), products)
    found: list[Product] = []
    departments = tuple(KINDS)
    weights = [_WEIGHTS.get(name, 1.0) for name in departments]
    family = 0
    while len(found) < products:
        first = sample_style(rng.choices(departments, weights)[0], rng)
        members = _family(first, min(FAMILY, products - len(found)), rng)
        market, gender = rng.choice(tuple(_CURRENCY)), _gender(first.category, rng)
        base = _DOLLARS[first.department] * rng.lognormvariate(0.0, 0.3)
        for member in members:
            code = f"p{codes[len(found)]}"
            found.append(_product(member, family, code, (market, gender), base, rng))
        family += 1
    return found


def _family(first: Style, size: int, rng: random.Random) -> list[Style]:
    """``first`` and different near-duplicates of it."""
    members = {first: None}
    while len(members) < size:
        members[near_duplicate(first, rng)] = None
    return list(members)


def _gender(category: str, rng: random.Random) -> str:
    if category in FEMALE:
        return "female"
    return "male" if category in MALE else rng.choice(("female", "male", "unisex"))


def _product(
    style: Style,
    family: int,
    code: str,
    audience: tuple[str, str],
    base: float,
    rng: random.Random,
) -> Product:
    market, gender = audience
    currency = _CURRENCY[market]
    price = base * rng.uniform(0.7, 1.4) * _RATE[currency]
    category, colour = style.category, style.colour
    if rng.random() < WRONG_SHARE:
        if rng.random() < 0.5:
            colour = rng.choice([name for name in NAMED if name != colour])
        else:
            category = rng.choice([one for one in KINDS[style.department] if one != category])
    return Product(
        key=f"{rng.choice(_VENDORS[market])}:{code}",
        family=family,
        style=style,
        market=market,
        gender=gender,
        brand=rng.choice(_BRANDS),
        price_minor=round(price) * _MINOR[currency],
        currency=currency,
        sizes=_sizes(style.department, rng),
        stated_category=category,
        stated_colour=colour,
        picture_seed=rng.randrange(2**31),
    )


def _sizes(department: str, rng: random.Random) -> tuple[str, ...]:
    if department not in SIZED:
        return ()
    known: Sequence[str] = _SHOES if department == "footwear" else _ALPHA
    start = rng.randrange(len(known) - 1)
    return tuple(known[start : start + rng.randint(2, 3)])
