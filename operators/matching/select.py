"""What may be shown: exact filters, the relaxation ladder, and near-duplicates folded into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from operators.matching.retrieve import Offer
from schemas.attributes import Department, Gender
from schemas.catalog import LedgerEntry
from schemas.looks import Look, Preferences
from schemas.money import Money

LADDER = ("colours", "max_price", "min_price", "brands", "sizes", "excluded_brands")
"""Inferred wishes in the order in which they are let go: first what a shopper most easily changes
her mind about, last what is a dislike."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """An offer that stands for itself and for the near-duplicates folded into it."""

    offer: Offer
    folded: int


def ladder(
    inferred: Preferences, department: Department
) -> Iterator[tuple[tuple[str, ...], Preferences]]:
    """The inferred wishes as they are, then with one more of them let go at each step.

    Each step comes with the names of all that was let go so far; wishes that restrict nothing in
    the department are no step. Explicit wishes never come here.
    """
    nothing = Preferences()
    relaxed: tuple[str, ...] = ()
    yield relaxed, inferred
    for name in LADDER:
        wish = inferred.sizes.get(department) if name == "sizes" else getattr(inferred, name)
        if wish:
            inferred = inferred.model_copy(update={name: getattr(nothing, name)})
            relaxed = (*relaxed, name)
            yield relaxed, inferred


def passes(
    entry: LedgerEntry, look: Look, department: Department, wishes: Sequence[Preferences]
) -> bool:
    """Whether the product, as the ledger has it now, may be shown for this layer of the look."""
    attributes, update = entry.attributes, entry.update
    if not entry.exists or not update.in_stock:
        return False
    if attributes.department is None or attributes.department.value != department:
        return False
    if look.market is not None and update.market != look.market:
        return False
    if look.gender is not None and attributes.gender is not None:
        fits = attributes.gender.value in (look.gender, Gender.UNISEX)
        if not fits:
            return False
    return all(_grants(entry, department, wish) for wish in wishes)


def _grants(entry: LedgerEntry, department: Department, wish: Preferences) -> bool:
    attributes, update = entry.attributes, entry.update
    brand = update.brand.casefold() if update.brand else None
    colour = attributes.colour.value if attributes.colour else None
    sizes = wish.sizes.get(department, ())
    return (
        (not wish.brands or brand in {name.casefold() for name in wish.brands})
        and brand not in {name.casefold() for name in wish.excluded_brands}
        and (not wish.colours or colour in wish.colours)
        and (not sizes or not set(sizes).isdisjoint(attributes.sizes))
        and _within(update.price, wish.min_price, wish.max_price)
    )


def _within(price: Money | None, lowest: Money | None, highest: Money | None) -> bool:
    """Bounds included. A price in another currency, or none, is within no bound."""
    for bound, sign in ((lowest, 1), (highest, -1)):
        if bound is not None and (
            price is None
            or price.currency != bound.currency
            or sign * price.amount_minor < sign * bound.amount_minor
        ):
            return False
    return True


def fold(offers: Sequence[Offer], duplicate_similarity: float) -> list[Choice]:
    """One choice per product family, best first.

    Offers are taken by similarity, ties by key. One joins the first choice that is of the same
    style, shows the same picture, or whose vector is at least ``duplicate_similarity`` (cosine)
    near; otherwise it becomes a choice itself. So a family is represented by its best.
    """
    ordered = sorted(offers, key=lambda o: (-o.candidate.similarity, o.candidate.key))
    kept: list[Offer] = []
    folded: list[int] = []
    for offer in ordered:
        double = next(
            (n for n, other in enumerate(kept) if _doubles(offer, other, duplicate_similarity)),
            None,
        )
        if double is None:
            kept.append(offer)
            folded.append(0)
        else:
            folded[double] += 1
    return [Choice(offer, count) for offer, count in zip(kept, folded, strict=True)]


def _doubles(one: Offer, other: Offer, duplicate_similarity: float) -> bool:
    a, b = one.candidate, other.candidate
    return (
        a.key == b.key
        or (a.attributes.style is not None and a.attributes.style == b.attributes.style)
        or (bool(a.attributes.image_hash) and a.attributes.image_hash == b.attributes.image_hash)
        or float(np.dot(a.vector, b.vector)) >= duplicate_similarity
    )
