"""Features of the confidence that a layer's best product is the very item in the picture."""

from __future__ import annotations

from collections.abc import Sequence

from operators.matching.ranked_product import RankedProduct
from operators.matching.tagger import Tagger
from operators.ports import LayerDescription, Vector


async def confidence_features(
    products: Sequence[RankedProduct],
    description: LayerDescription,
    text: Vector,
    region: Vector | None,
    tagger: Tagger,
) -> dict[str, float]:
    """The features of :attr:`Calibration.same_item`, by name.

    ``products``: best first, not empty; ``text``: the embedding of the layer's query; ``region``:
    of its crop (without one, the text replaces it).

    region: cosine of region and best product. text: cosine of text and best product. margin: the
    first, minus the highest such cosine of the other products. colour, pattern: 1 if description
    and product agree or one of them is unknown, else 0. category_gap: how much higher the region's
    cosine is with the caption of its own category than with that of the product's, at least 0.
    """
    seen = text if region is None else region
    similarities = [float(seen @ product.vector) for product in products]
    best = products[0]
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
