"""Retrieve the products nearest to a query vector, with their exact state from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import structlog

from operators.matching.eligibility import Audience
from operators.matching.look_run import LookRun
from operators.matching.ranked_product import RankedProduct
from operators.ports import Candidate, Filters, Vector
from operators.vocabulary.price_bucket import bucket_range
from operators.vocabulary.views import entry_of_index
from schemas.attributes import Department, Gender
from schemas.catalog import LedgerEntry
from schemas.errors import IndexLost, LedgerLost, Unavailable, UnreadableEntry
from schemas.looks import Preferences

log = structlog.get_logger()


async def retrieve(
    run: LookRun, vector: Vector, filters: Filters, limit: int
) -> tuple[list[RankedProduct], bool]:
    """At most ``limit`` nearest products that pass ``filters``, best first; whether there may be
    more.

    Products that the ledger does not have, or has as deleted, are left out: the index lags behind
    the ledger by moments. So are those whose entry cannot be read, which degrades the look. Raises
    Unavailable, or LedgerLost if ``require_ledger`` is set. A lost index degrades the look: nothing
    is found.
    """
    try:
        candidates = await run.parts.index.search(vector, filters, limit)
    except IndexLost as error:
        run.journal.degrade("index", error)
        return [], False
    entries = await _read_entries(run, candidates)
    products = [
        RankedProduct.of(candidate, entry)
        for candidate, entry in zip(candidates, entries, strict=True)
        if entry is not None and entry.exists
    ]
    return products, len(candidates) == limit


async def _read_entries(
    run: LookRun, candidates: Sequence[Candidate]
) -> Sequence[LedgerEntry | None]:
    """The exact states. Without a ledger, and if the run does not require one: what the index
    knows, i.e. no titles, no prices (so no price preference is satisfied), and stock as of the
    last time it ran out or came back."""
    try:
        return await run.parts.ledger.read_many(
            [candidate.key for candidate in candidates], partial(_leave_out, run)
        )
    except (Unavailable, LedgerLost) as error:
        if run.parts.require_ledger:
            raise
        run.journal.degrade("ledger", error)
        return [entry_of_index(found.key, found.attributes) for found in candidates]


def _leave_out(run: LookRun, error: UnreadableEntry) -> None:
    """One product's entry cannot be read: the look is matched without it."""
    log.warning("product left out", error=str(error))
    run.journal.degrade("ledger", error)


def coarse_filters(
    audience: Audience, department: Department | None, preferences: Sequence[Preferences]
) -> Filters | None:
    """What the vector store can filter by; None when the preferences contradict each other.

    The filters are only coarse: prices are buckets, of several size preferences only the first is
    used, and the index may be moments old. :func:`operators.matching.eligibility.passes` decides
    on the ledger's values.
    """
    brands = _intersection([_casefold(preference.brands) for preference in preferences])
    colours = _intersection([frozenset(preference.colours) for preference in preferences])
    sizes = [p.sizes[department] for p in preferences if department and p.sizes.get(department)]
    lowest = [p.min_price for p in preferences if p.min_price]
    highest = [p.max_price for p in preferences if p.max_price]
    currencies = {price.currency for price in (*lowest, *highest)}
    if brands is None or colours is None or len(currencies) > 1:
        return None
    return Filters(
        department=department.value if department else None,
        market=audience.market,
        genders=frozenset({audience.gender.value, Gender.UNISEX.value})
        if audience.gender
        else frozenset(),
        colours=colours,
        brands=brands,
        excluded_brands=frozenset().union(*(_casefold(p.excluded_brands) for p in preferences)),
        sizes=frozenset(sizes[0]) if sizes else frozenset(),
        price_buckets=bucket_range(
            max(lowest, key=lambda price: price.amount_minor, default=None),
            min(highest, key=lambda price: price.amount_minor, default=None),
        ),
        currency=next(iter(currencies), None),
    )


def _casefold(names: Sequence[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _intersection(restrictions: Sequence[frozenset[str]]) -> frozenset[str] | None:
    """The values that every non-empty restriction allows.

    Empty: no restriction. None: nothing is allowed.
    """
    restricting = [allowed for allowed in restrictions if allowed]
    if not restricting:
        return frozenset()
    return frozenset.intersection(*restricting) or None
