"""How sure a layer's best product is the very item; below a threshold nothing is shown."""

from __future__ import annotations

from collections.abc import Sequence

from operators.matching.rerank import Ranked
from operators.matching.tagger import Tagger
from operators.ports import LayerDescription, Vector


async def confidence_features(
    ranked: Sequence[Ranked],
    description: LayerDescription,
    text: Vector,
    region: Vector | None,
    tagger: Tagger,
) -> dict[str, float]:
    """What the confidence is made of; ``ranked`` is not empty, ``text`` is the query's vector.

    region: cosine of region and best product; text: of query and best product; margin: how much
    less similar the second product is; colour, pattern: 1 where the description and the product
    agree or one of them does not say; category_gap: how much nearer the region lies to its own
    category's caption than to the product's category's, at least 0. Without a region, the text
    takes its place.
    """
    seen = text if region is None else region
    similarities = [float(seen @ one.choice.offer.candidate.vector) for one in ranked]
    best = ranked[0].choice.offer.candidate
    return {
        "region": similarities[0],
        "text": float(text @ best.vector),
        "margin": similarities[0] - max(similarities[1:], default=0.0),
        "colour": _agrees(description.attributes.get("colour"), best.attributes.colour),
        "pattern": _agrees(description.attributes.get("pattern"), best.attributes.pattern),
        "category_gap": await tagger.category_gap(seen, description, best.attributes.category),
    }


def _agrees(described: str | None, known: str | None) -> float:
    return float(described is None or known is None or described == known)
