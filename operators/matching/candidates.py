"""Candidates for a layer: search, filter, fold, refill; relax inferred preferences if too few."""

from __future__ import annotations

from collections.abc import Sequence

from operators.matching.eligibility import passes
from operators.matching.look_run import LookRun
from operators.matching.ranked_product import RankedProduct
from operators.matching.relaxation import ladder
from operators.matching.retrieve import coarse_filters, retrieve
from operators.matching.select import fold
from operators.ports import Vector
from schemas.attributes import Department
from schemas.looks import Preferences

REFILLS = 3
"""A search that yields too few products after filtering and folding is repeated at most this many
times, each time with twice as many candidates."""


async def find_candidates(
    run: LookRun, department: Department, vector: Vector
) -> tuple[list[RankedProduct], tuple[str, ...]]:
    """The eligible products, best first, and the inferred preferences that were relaxed.

    Inferred preferences are relaxed one by one until there are ``min_products`` products.
    """
    products: list[RankedProduct] = []
    relaxed: tuple[str, ...] = ()
    for relaxed, inferred in ladder(run.look.inferred, department):  # noqa: B007
        products = await _search(run, department, vector, (run.look.preferences, inferred))
        if len(products) >= run.parts.settings.min_products:
            break
    return products, relaxed


async def _search(
    run: LookRun, department: Department, vector: Vector, preferences: Sequence[Preferences]
) -> list[RankedProduct]:
    filters = coarse_filters(run.look, department, preferences)
    if filters is None:
        return []
    settings = run.parts.settings
    limit = settings.products_per_layer * settings.over_fetch
    products: list[RankedProduct] = []
    for _ in range(REFILLS + 1):
        retrieved, more = await retrieve(run, vector, filters, limit)
        passing = [
            product
            for product in retrieved
            if passes(product.entry, run.look, department, preferences, run.now)
        ]
        products = fold(passing, settings.duplicate_similarity)
        if len(products) >= settings.products_per_layer or not more:
            break
        limit *= 2
    return products
