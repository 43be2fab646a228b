"""The ways to order a layer's products: similarity, the vision-language model, the segment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from PIL.Image import Image

from operators.matching.layers import Layer
from operators.matching.look_run import LookRun
from operators.matching.ranked_product import RankedProduct
from operators.matching.segment_crops import segment_vectors
from operators.ports import (
    IndexedAttributes,
    LayerDescription,
    QuerySegmenter,
    Vector,
    VisionLanguageModel,
)
from operators.vocabulary.taxonomy import PLAIN
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.rerank import RerankMethod


def by_retrieval(products: Sequence[RankedProduct]) -> list[RankedProduct]:
    """Order by cosine with the query vector, ties by key."""
    return _best_first([replace(product, score=product.similarity) for product in products])


def by_similarity(
    products: Sequence[RankedProduct],
    region: Vector | None,
    description: LayerDescription,
    attribute_weight: float,
) -> list[RankedProduct]:
    """Order by cosine with the region (without one: with the query vector), plus
    ``attribute_weight`` per attribute that the product shares with the description.

    Vectors alone confuse a grey shirt with purple flowers and a purple one with grey flowers; the
    standardised attributes distinguish them. Figures: docs/decisions/044.
    """

    def score(product: RankedProduct) -> float:
        cosine = product.similarity if region is None else float(region @ product.vector)
        return cosine + attribute_weight * _shared_attributes(description, product.attributes)

    return _best_first([replace(product, score=score(product)) for product in products])


def _best_first(products: Sequence[RankedProduct]) -> list[RankedProduct]:
    return sorted(products, key=lambda product: (-product.score, product.key))


def _shared_attributes(description: LayerDescription, product: IndexedAttributes) -> float:
    """How many of category, colour and pattern agree; an unknown one counts one half. One less if
    the product's colours are not those of a layer of two colours.
    """
    known = {"category": product.category, "colour": product.colour, "pattern": product.pattern}
    pairs = [(description.attributes.get(name), value) for name, value in known.items()]
    agreeing = sum(0.5 if None in pair else float(pair[0] == pair[1]) for pair in pairs)
    return agreeing - float(lacks_second_colour(description.attributes, product))


def lacks_second_colour(layer: Mapping[str, str], product: IndexedAttributes) -> bool:
    """Whether the layer has two colours, and the product one, or the second as its first.

    Products state one colour: which second one a patterned product has is not known.
    """
    second = layer.get("second_colour")
    if second is None or second == layer.get("colour"):
        return False
    return product.pattern == PLAIN or product.colour == second


async def by_model(
    run: LookRun,
    products: Sequence[RankedProduct],
    query: str,
    crop: Image,
    method: RerankMethod,
    vlm: VisionLanguageModel,
) -> list[RankedProduct] | None:
    """Reorder ``products`` by their scores blended with the model's; None if it judged none.

    The model's score counts with ``rerank_weight`` (0..1). Figures: docs/decisions/071. A product
    without an answer (no thumbnail, no time, no usable token) keeps its place, and takes the score
    of its predecessor so that scores stay in order.
    """
    budget = run.budget.share(run.parts.settings.rerank_share)
    try:
        async with budget.enforced("rerank"):
            pictures = await asyncio.gather(
                *(run.parts.thumbnails.get(product.key) for product in products)
            )
            asked = [n for n, picture in enumerate(pictures) if picture is not None]
            if not asked:
                run.journal.degrade("rerank", "no-thumbnails")
                return None
            given = [picture for picture in pictures if picture is not None]
            answers = await vlm.rerank(method, query, crop, given, budget)
    except (Unavailable, DeadlineExceeded) as error:
        run.journal.degrade("rerank", error)
        return None
    weight = run.parts.settings.rerank_weight
    scores = {
        n: (1 - weight) * products[n].score + weight * answer
        for n, answer in zip(asked, answers, strict=True)
        if answer is not None
    }
    if not scores:
        run.journal.degrade("rerank", "no-answer")
        return None
    return merge_scores(products, scores)


async def by_segment(
    run: LookRun,
    products: Sequence[RankedProduct],
    layer: Layer,
    description: LayerDescription,
    segmenter: QuerySegmenter,
) -> list[RankedProduct] | None:
    """As :func:`by_similarity`, with the layer's segment instead of its square crop; None when
    the segment is not found or time is up."""
    budget = run.budget.share(run.parts.settings.rerank_share)
    try:
        async with budget.enforced("segment"):
            queries = {layer.department: description.query}
            vectors = await segment_vectors(layer.picture, queries, segmenter, run.parts.encoder)
    except (Unavailable, DeadlineExceeded) as error:
        run.journal.degrade("segment", error)
        return None
    if layer.department not in vectors:
        run.journal.degrade("segment", "not-found")
        return None
    weight = run.parts.settings.attribute_weight
    return by_similarity(products, vectors[layer.department], description, weight)


def capped(products: Sequence[RankedProduct], highest: float) -> list[RankedProduct]:
    """The products with scores of at most ``highest``: those that the model judged precede them."""
    return [replace(product, score=min(product.score, highest)) for product in products]


def merge_scores(
    products: Sequence[RankedProduct], scores: Mapping[int, float]
) -> list[RankedProduct]:
    """Reorder the products that have a score (by their index), best first, among their places;
    the others keep theirs and take the score of their predecessor."""
    best_first = iter(sorted(scores, key=lambda n: (-scores[n], n)))
    order = [next(best_first) if n in scores else n for n in range(len(products))]
    out: list[RankedProduct] = []
    last = max(scores.values(), default=0.0)
    for n in order:
        last = scores.get(n, last)
        out.append(replace(products[n], score=last))
    return out
