"""The order in which a layer's choices are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL.Image import Image

from operators.budget import Budget
from operators.matching.journal import Journal
from operators.matching.layers import Layer
from operators.matching.segment_crops import segment_vectors
from operators.matching.select import Choice
from operators.ports import (
    ImageTextEncoder,
    IndexedAttributes,
    LayerDescription,
    QuerySegmenter,
    Thumbnails,
    Vector,
    VisionLanguageModel,
)
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.rerank import RerankMethod


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A choice with what its place is made of."""

    choice: Choice
    score: float
    """Higher is better: cosine and shared attributes; where the model has judged, blended with its
    probability."""


def by_retrieval(choices: Sequence[Choice]) -> list[Ranked]:
    """By cosine with the query vector."""
    ranked = [Ranked(choice, choice.offer.candidate.similarity) for choice in choices]
    return sorted(ranked, key=lambda r: (-r.score, r.choice.offer.candidate.key))


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
    method: RerankMethod,
    weight: float,
    thumbnails: Thumbnails,
    budget: Budget,
    journal: Journal,
) -> list[Ranked] | None:
    """``ranked`` in the order of its own and the model's scores, the latter with ``weight`` in
    0..1; None when the model judged none of them. docs/decisions/071 has the figures.

    What the model gave no answer for (no thumbnail, no time, no usable token) keeps its place
    among the others: nothing speaks for moving it up or down. The one at its place tells its score.
    """
    try:
        async with budget.enforced("rerank"):
            pictures = await asyncio.gather(
                *(thumbnails.get(r.choice.offer.candidate.key) for r in ranked)
            )
            asked = [n for n, picture in enumerate(pictures) if picture is not None]
            if not asked:
                journal.degrade("rerank", "no-thumbnails")
                return None
            given = [picture for picture in pictures if picture is not None]
            answers = await vlm.rerank(method, query, crop, given, budget)
    except (Unavailable, DeadlineExceeded) as error:
        journal.degrade("rerank", error)
        return None
    scores = {
        n: (1 - weight) * ranked[n].score + weight * answer
        for n, answer in zip(asked, answers, strict=True)
        if answer is not None
    }
    if not scores:
        journal.degrade("rerank", "no-answer")
        return None
    return merged(ranked, scores)


async def by_segment(
    choices: Sequence[Choice],
    layer: Layer,
    description: LayerDescription,
    attribute_weight: float,
    cutter: QuerySegmenter,
    encoder: ImageTextEncoder,
    budget: Budget,
    journal: Journal,
) -> list[Ranked] | None:
    """As :func:`by_similarity`, with the layer cut out along its outline instead of its square;
    None when it is not found, or there is no time for it."""
    try:
        async with budget.enforced("segment"):
            queries = {layer.department: description.query}
            vectors = await segment_vectors(layer.picture, queries, cutter, encoder)
    except (Unavailable, DeadlineExceeded) as error:
        journal.degrade("segment", error)
        return None
    if layer.department not in vectors:
        journal.degrade("segment", "not-found")
        return None
    return by_similarity(choices, vectors[layer.department], description, attribute_weight)


def merged(ranked: Sequence[Ranked], scores: Mapping[int, float]) -> list[Ranked]:
    """``ranked`` with those that have a score (by their index) in its order, best first, and the
    others where they were."""
    best_first = iter(sorted(scores, key=lambda n: (-scores[n], n)))
    order = [next(best_first) if n in scores else n for n in range(len(ranked))]
    out: list[Ranked] = []
    last = max(scores.values(), default=0.0)
    for n in order:
        last = scores.get(n, last)
        out.append(Ranked(ranked[n].choice, last))
    return out
