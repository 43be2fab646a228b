"""The choices for a layer: search, filter, fold, refill; relax what was only guessed."""

from __future__ import annotations

from collections.abc import Sequence

from operators.matching.journal import Journal
from operators.matching.parts import MatchParts
from operators.matching.retrieve import coarse_filters, retrieve
from operators.matching.select import Choice, fold, ladder, passes
from operators.ports import Vector
from schemas.attributes import Department
from schemas.looks import Look, Preferences

REFILLS = 3
"""Times a search is repeated with twice as many candidates when filters and folding leave too
few: up to eight times the candidates, then the layer makes do with what there is."""


async def find(
    vector: Vector, department: Department, look: Look, parts: MatchParts, journal: Journal
) -> tuple[list[Choice], tuple[str, ...]]:
    """The choices, best first, and the inferred wishes that were let go to have enough of them."""
    choices: list[Choice] = []
    let_go: tuple[str, ...] = ()
    for relaxed, inferred in ladder(look.inferred, department):
        wishes = (look.preferences, inferred)
        choices = await _search(vector, department, look, wishes, parts, journal)
        let_go = relaxed
        if len(choices) >= parts.settings.min_products:
            break
    return choices, let_go


async def _search(
    vector: Vector,
    department: Department,
    look: Look,
    wishes: Sequence[Preferences],
    parts: MatchParts,
    journal: Journal,
) -> list[Choice]:
    filters = coarse_filters(look, department, wishes)
    if filters is None:
        return []
    wanted = parts.settings.products_per_layer
    limit = wanted * parts.settings.over_fetch
    choices: list[Choice] = []
    for _ in range(REFILLS + 1):
        offers, more = await retrieve(vector, filters, limit, parts, journal)
        passing = [o for o in offers if passes(o.entry, look, department, wishes)]
        choices = fold(passing, parts.settings.duplicate_similarity)
        if len(choices) >= wanted or not more:
            break
        limit *= 2
    return choices
