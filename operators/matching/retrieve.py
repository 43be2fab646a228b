"""Products near a query vector that can be ordered, with their exact state from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operators.matching.journal import Journal
from operators.matching.parts import MatchParts
from operators.ports import Candidate, Filters, Vector
from operators.vocabulary.price_bucket import bucket_range
from operators.vocabulary.views import entry_of_index
from schemas.attributes import Department, Gender
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost, Unavailable
from schemas.looks import Look, Preferences


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A candidate together with what the ledger knows of it."""

    candidate: Candidate
    entry: LedgerEntry


async def retrieve(
    vector: Vector, filters: Filters, limit: int, parts: MatchParts, journal: Journal
) -> tuple[list[Offer], bool]:
    """The nearest products that pass ``filters``, best first; and whether there may be more.

    What the ledger does not know (any more) is left out: the store lags behind it by moments.
    """
    candidates = await parts.index.search(vector, filters, limit)
    entries = await _entries(candidates, parts, journal)
    offers = [
        Offer(candidate, entry)
        for candidate, entry in zip(candidates, entries, strict=True)
        if entry is not None and entry.exists
    ]
    return offers, len(candidates) == limit


async def _entries(
    candidates: Sequence[Candidate], parts: MatchParts, journal: Journal
) -> Sequence[LedgerEntry | None]:
    """Exact states; without a ledger, and if the look cannot wait, what the index knows: no titles,
    no prices (so that no wish for a price is granted), stock as of its last change of kind."""
    try:
        return await parts.ledger.read_many([candidate.key for candidate in candidates])
    except (Unavailable, LedgerLost) as error:
        if parts.waits_for_ledger:
            raise
        journal.degrade("ledger", error)
        return [entry_of_index(found.key, found.attributes) for found in candidates]


def coarse_filters(
    look: Look, department: Department, wishes: Sequence[Preferences]
) -> Filters | None:
    """What the vector store can filter by; None when the wishes exclude each other.

    Prices are coarse here (buckets), of several wishes' sizes only the first count, and all may
    be moments old: :func:`operators.matching.select.passes` decides, on the ledger's values.
    """
    brands = _all_of([_folded(wish.brands) for wish in wishes])
    colours = _all_of([frozenset(wish.colours) for wish in wishes])
    sizes = [wish.sizes[department] for wish in wishes if wish.sizes.get(department)]
    lowest = [wish.min_price for wish in wishes if wish.min_price]
    highest = [wish.max_price for wish in wishes if wish.max_price]
    currencies = {price.currency for price in (*lowest, *highest)}
    if brands is None or colours is None or len(currencies) > 1:
        return None
    return Filters(
        department=department.value,
        market=look.market,
        genders=frozenset({look.gender.value, Gender.UNISEX.value}) if look.gender else frozenset(),
        colours=colours,
        brands=brands,
        excluded_brands=frozenset().union(*(_folded(wish.excluded_brands) for wish in wishes)),
        sizes=frozenset(sizes[0]) if sizes else frozenset(),
        price_buckets=bucket_range(
            max(lowest, key=lambda price: price.amount_minor, default=None),
            min(highest, key=lambda price: price.amount_minor, default=None),
        ),
        currency=next(iter(currencies), None),
    )


def _folded(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _all_of(choices: Sequence[frozenset[str]]) -> frozenset[str] | None:
    """What every non-empty choice allows; empty: no restriction; None: nothing is allowed."""
    restricting = [choice for choice in choices if choice]
    if not restricting:
        return frozenset()
    return frozenset.intersection(*restricting) or None
