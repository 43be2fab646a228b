"""What the catalog's nearest products say of a region that the encoder's words do not fit.

On pictures by another hand than the training ones the vectors of a garment and of its product
still meet, while captions and heat fail: the products are the better witnesses of what a region
shows. Figures: docs/decisions/195.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from operators.matching.look_run import LookRun
from operators.matching.ranked_product import RankedProduct
from operators.matching.retrieve import coarse_filters
from operators.matching.tagger import Caption
from operators.ports import Candidate, LayerDescription, Vector
from schemas.attributes import Department
from schemas.errors import IndexLost

NEAREST = 20
"""Products looked at around a region, of all departments."""

VOTERS = 10
"""Of them, and of a layer's candidates, those that vote."""

SURE = 0.9975
"""Log-odds of 6: beyond it a probability says more of the training pictures than of this one."""

SOFTNESS = 0.05
"""Cosine by which a product must be farther than the nearest for its vote to count 1 / e. A type's
near-duplicates are within it, other types mostly not."""


async def nearest_products(
    run: LookRun, region: Vector, department: Department | None, limit: int
) -> list[Candidate]:
    """The products nearest to a region, of one department or of all; none if the index is lost."""
    filters = coarse_filters(run.look, department, ())
    assert filters is not None, "no preferences that contradict each other"
    try:
        return await run.parts.index.search(region, filters, limit)
    except IndexLost:  # the retrieval that follows reports it
        return []


def presence_features(
    confidence: float, nearest: Sequence[Candidate], best: float, department: Department
) -> dict[str, float]:
    """The features of :attr:`CatalogEvidence.presence`, by name.

    ``confidence``: that the department is shown, by the picture alone; ``nearest``: products of all
    departments; ``best``: cosine of the nearest product of ``department``.

    log_odds: of the confidence. margin: how much nearer the department's nearest product is than
    those of other departments.
    """
    others = [one.similarity for one in nearest if one.attributes.department != department]
    return {"log_odds": _log_odds(confidence), "margin": best - max(others, default=0.0)}


def unnamed_department(
    nearest: Sequence[Candidate], named: Collection[Department]
) -> Department | None:
    """The department of most of the nearest products, if it is none of those that are ``named``:
    the encoder has no words for it, but the catalog sells it."""
    voters = [one.attributes.department for one in nearest[:VOTERS]]
    if not voters:
        return None
    likeliest = max(sorted(set(filter(None, voters))), key=voters.count, default=None)
    if likeliest is None or likeliest in named or voters.count(likeliest) * 2 <= len(voters):
        return None
    return Department(likeliest)


def one_piece_features(reading: float, dress: float, pieces: Sequence[float]) -> dict[str, float]:
    """The features of :attr:`CatalogEvidence.one_piece`, by name.

    ``reading``: probability of a dress by the picture alone; ``dress``, ``pieces``: cosines of
    their regions and the nearest product of their departments.

    log_odds: of the reading. nearer: how much nearer the dress is to a product than the pieces.
    """
    return {
        "log_odds": _log_odds(reading),
        "nearer": dress - sum(pieces) / len(pieces),
    }


def voted_description(
    department: Department, products: Sequence[RankedProduct]
) -> LayerDescription:
    """The layer in words, by a vote of the products nearest to it, best first. Without a category
    that any of them states it is called by its department."""
    winners = {name: _winner(_votes(products, name)) for name in ("category", "colour", "pattern")}
    category = winners["category"] or department.replace("_", " ")
    caption = Caption(category, winners["colour"], winners["pattern"])
    shown = {name: value for name, value in winners.items() if value}
    return LayerDescription(caption.text(), shown)


def product_features(products: Sequence[RankedProduct], region: Vector) -> list[dict[str, float]]:
    """Per product, the features of :attr:`CatalogEvidence.same_item` and ``same_kind``, by name.

    ``products``: best first, found by ``region``.

    region: cosine of region and product. margin: this, minus the highest of the other products.
    first: 1 for the best product, else 0. share: of the votes for a category, that of its own.
    """
    cosines = [float(region @ product.vector) for product in products]
    votes = _votes(sorted(products, key=lambda one: -one.similarity), "category")
    total = sum(votes.values()) or 1.0
    return [
        {
            "region": cosine,
            "margin": cosine - max(cosines[:number] + cosines[number + 1 :], default=0.0),
            "first": float(number == 0),
            "share": votes.get(product.attributes.category or "", 0.0) / total,
        }
        for number, (product, cosine) in enumerate(zip(products, cosines, strict=True))
    ]


def _log_odds(probability: float) -> float:
    """Of probabilities that no picture alone makes more certain than SURE."""
    bounded = min(SURE, max(1 - SURE, probability))
    return float(np.log(bounded / (1 - bounded)))


def _votes(products: Sequence[RankedProduct], attribute: str) -> dict[str, float]:
    """Value -> weight, of the VOTERS nearest products that state the attribute."""
    votes: dict[str, float] = {}
    voters = products[:VOTERS]
    for product in voters:
        value = getattr(product.attributes, attribute)
        if value is not None:
            farther = voters[0].similarity - product.similarity
            votes[value] = votes.get(value, 0.0) + float(np.exp(-farther / SOFTNESS))
    return votes


def _winner(votes: dict[str, float]) -> str:
    return max(votes, key=lambda value: (votes[value], value)) if votes else ""
