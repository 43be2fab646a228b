"""The order in which a layer's choices are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from PIL.Image import Image

from operators.budget import Budget
from operators.matching.journal import Journal
from operators.matching.select import Choice
from operators.ports import (
    IndexedAttributes,
    LayerDescription,
    Thumbnails,
    Vector,
    VisionLanguageModel,
)
from schemas.errors import DeadlineExceeded, Unavailable


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A choice with what its place is made of."""

    choice: Choice
    score: float
    """Higher is better: cosine and shared attributes, or, where the model has judged, its
    probability."""


def by_similarity(
    choices: Sequence[Choice],
    region: Vector | None,
    description: LayerDescription,
    attribute_weight: float,
) -> list[Ranked]:
    """By cosine with the region (without one, with the query vector), and by the attributes that
    a product shares with the description, ``attribute_weight`` each.

    Vectors alone take a grey shirt with purple flowers for a purple one with grey flowers; the
    standardised attributes tell them apart. docs/decisions/044 has the figures.
    """
    ranked = []
    for choice in choices:
        candidate = choice.offer.candidate
        cosine = candidate.similarity if region is None else float(region @ candidate.vector)
        shared = _shared(description, candidate.attributes)
        ranked.append(Ranked(choice, cosine + attribute_weight * shared))
    return sorted(ranked, key=lambda r: (-r.score, r.choice.offer.candidate.key))


def _shared(description: LayerDescription, product: IndexedAttributes) -> float:
    """How many of category, colour and pattern agree; one that is not known counts a half."""
    known = {"category": product.category, "colour": product.colour, "pattern": product.pattern}
    pairs = [(description.attributes.get(name), value) for name, value in known.items()]
    return sum(0.5 if None in pair else float(pair[0] == pair[1]) for pair in pairs)


async def by_model(
    ranked: Sequence[Ranked],
    query: str,
    crop: Image,
    vlm: VisionLanguageModel,
    thumbnails: Thumbnails,
    budget: Budget,
    journal: Journal,
) -> list[Ranked]:
    """``ranked`` in the order of the model's probabilities that an item is the crop's.

    What the model gave no answer for (no thumbnail, no time, no usable token) keeps its order
    behind those it found more probable than not, and before those it did not.
    """
    try:
        async with budget.enforced("rerank"):
            pictures = await asyncio.gather(
                *(thumbnails.get(r.choice.offer.candidate.key) for r in ranked)
            )
            asked = [n for n, picture in enumerate(pictures) if picture is not None]
            if not asked:
                journal.degrade("rerank", "no-thumbnails")
                return list(ranked)
            answers = await vlm.rerank(query, crop, [p for p in pictures if p is not None], budget)
    except (Unavailable, DeadlineExceeded) as error:
        journal.degrade("rerank", error)
        return list(ranked)
    probability = dict(zip(asked, answers, strict=True))
    order = sorted(range(len(ranked)), key=lambda n: (-_or_even(probability.get(n)), n))
    return [Ranked(ranked[n].choice, _or_even(probability.get(n))) for n in order]


def _or_even(probability: float | None) -> float:
    return 0.5 if probability is None else probability
