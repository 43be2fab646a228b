"""The order in which a layer's choices are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from PIL.Image import Image

from operators.budget import Budget
from operators.matching.journal import Journal
from operators.matching.select import Choice
from operators.ports import Thumbnails, Vector, VisionLanguageModel
from schemas.errors import DeadlineExceeded, Unavailable


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A choice with what its place is made of."""

    choice: Choice
    score: float
    """Higher is better: cosine, or, where the model has judged, its probability."""


def by_similarity(choices: Sequence[Choice], region: Vector | None) -> list[Ranked]:
    """By cosine with the region; without one, by cosine with the query vector."""
    ranked = [
        Ranked(
            choice,
            choice.offer.candidate.similarity
            if region is None
            else float(region @ choice.offer.candidate.vector),
        )
        for choice in choices
    ]
    return sorted(ranked, key=lambda r: (-r.score, r.choice.offer.candidate.key))


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
