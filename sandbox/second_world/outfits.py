"""Looks as plans: who wears which products, and which filters exclude what is worn."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.second_world.catalogue import Product
from sandbox.second_world.figure import POSES

EXCLUDED_SHARE = 0.1
"""Layers whose product the look's own filters exclude."""

_ACCESSORIES = {
    "bag": 0.45,
    "headwear": 0.3,
    "eyewear": 0.3,
    "jewellery": 0.3,
    "watch": 0.25,
    "belt": 0.2,
    "scarf": 0.2,
}
"""Department -> how often it is worn."""
_OVER_A_COAT = 0.5
"""How often a scarf is."""
_OVER_TROUSERS = frozenset({"kurta", "sherwani"})


@dataclass(frozen=True, slots=True)
class PlannedLook:
    """What is drawn and asked for."""

    look_id: str
    market: str
    gender: str
    pose: str
    worn: Mapping[str, Product]
    """By department."""
    sizes: Mapping[str, str]
    """Department -> the size that is asked for."""
    min_price_minor: int | None
    max_price_minor: int | None
    picture_seed: int

    def admits(self, product: Product) -> bool:
        """Whether the look's filters let the product pass."""
        size = self.sizes.get(product.style.department)
        return (
            product.market == self.market
            and product.gender in (self.gender, "unisex")
            and (size is None or size in product.sizes)
            and (self.min_price_minor is None or product.price_minor >= self.min_price_minor)
            and (self.max_price_minor is None or product.price_minor <= self.max_price_minor)
        )

    @property
    def excluded(self) -> frozenset[str]:
        """Departments whose product the look's filters exclude."""
        return frozenset(name for name, one in self.worn.items() if not self.admits(one))


class Wardrobes:
    """The products by market, gender and department, and by family."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._sold: dict[tuple[str, str, str], list[Product]] = {}
        self.families: dict[int, list[Product]] = {}
        for product in products:
            self.families.setdefault(product.family, []).append(product)
            genders = ("female", "male") if product.gender == "unisex" else (product.gender,)
            for gender in genders:
                place = (product.market, gender, product.style.department)
                self._sold.setdefault(place, []).append(product)

    def choose(
        self, market: str, gender: str, department: str, rng: random.Random
    ) -> Product | None:
        """A random product; None if there is none."""
        sold = self._sold.get((market, gender, department))
        return rng.choice(sold) if sold else None


def plan_look(look_id: str, wardrobes: Wardrobes, rng: random.Random) -> PlannedLook:
    """Dress somebody for whom something is sold. Departments without a product are left out."""
    worn: dict[str, Product] = {}
    while not worn:
        market, gender = rng.choice(("IN", "US", "JP")), rng.choice(("female", "male"))
        for department in _departments(gender, rng):
            product = wardrobes.choose(market, gender, department, rng)
            if product is not None:
                worn[department] = product
                if product.style.category in _OVER_TROUSERS and (
                    below := wardrobes.choose(market, gender, "bottom", rng)
                ):
                    worn["bottom"] = below
    plan = PlannedLook(
        look_id=look_id,
        market=market,
        gender=gender,
        pose=rng.choice(POSES),
        worn=worn,
        sizes={},
        min_price_minor=None,
        max_price_minor=None,
        picture_seed=rng.randrange(2**31),
    )
    return _with_filters(plan, wardrobes, rng)


def _departments(gender: str, rng: random.Random) -> list[str]:
    draw = rng.random()
    if draw < 0.2:
        chosen = ["ethnic_wear"]
    elif gender == "female" and draw < 0.5:
        chosen = ["dress"]
    else:
        chosen = ["bottom", "top"]
    if chosen != ["ethnic_wear"] and rng.random() < 0.35:
        chosen.append("outerwear")
    chosen.append("footwear")
    for department, share in _ACCESSORIES.items():
        coated = department == "scarf" and "outerwear" in chosen
        if rng.random() < (_OVER_A_COAT if coated else share):
            chosen.append(department)
    return chosen


def _with_filters(plan: PlannedLook, wardrobes: Wardrobes, rng: random.Random) -> PlannedLook:
    """Exclude EXCLUDED_SHARE of the layers, by size or by price. The others still pass, and so
    does a near-duplicate of each excluded product. A layer that no filter can exclude alone leaves
    its turn to another one."""
    turns = sum(rng.random() < EXCLUDED_SHARE for _ in plan.worn)
    for department in rng.sample(tuple(plan.worn), len(plan.worn)):
        if turns == 0:
            break
        choices = [
            one
            for one in _with_one_filter_more(plan, department, wardrobes)
            if one.excluded == plan.excluded | {department}
            and all(_has_substitute(one, name, wardrobes) for name in one.excluded)
        ]
        if choices:
            plan, turns = rng.choice(choices), turns - 1
    return plan


def _with_one_filter_more(
    plan: PlannedLook, department: str, wardrobes: Wardrobes
) -> list[PlannedLook]:
    """The plan with each filter that excludes the department's product, whatever else it does."""
    product = plan.worn[department]
    siblings = wardrobes.families[product.family]
    others = sorted({size for one in siblings for size in one.sizes} - set(product.sizes))
    found = [replace(plan, sizes={**plan.sizes, department: size}) for size in others]
    if plan.max_price_minor is None:
        found.append(replace(plan, max_price_minor=product.price_minor - 1))
    if plan.min_price_minor is None:
        found.append(replace(plan, min_price_minor=product.price_minor + 1))
    return found


def _has_substitute(plan: PlannedLook, department: str, wardrobes: Wardrobes) -> bool:
    return any(plan.admits(one) for one in wardrobes.families[plan.worn[department].family])
