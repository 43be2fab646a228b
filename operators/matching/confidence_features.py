"""Features of the confidence that a product is the layer's very item, or at least of its kind."""

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
) -> list[dict[str, float]]:
    """Per product, the features of :attr:`Calibration.same_item` and ``same_kind``, by name.

    ``products``: best first; ``text``: the embedding of the layer's query; ``region``: of its crop
    (without one, the text replaces it).

    region: cosine of region and product. text: cosine of text and product. margin: the first of
    these, minus the highest such cosine of the other products. first: 1 for the best product, else
    0. category, colour, pattern: 1 if description and product agree or one of them is unknown, else
    0. category_gap: how much higher the region's cosine is with the caption of its own category
    than with that of the product's, at least 0. product_gap: how much higher the product's cosine
    is with the caption of another category of the department, at least 0.
    """
    seen = text if region is None else region
    similarities = [float(seen @ product.vector) for product in products]
    described = description.attributes
    gaps = await tagger.product_gaps([product.vector for product in products], description)
    found = []
    for number, product in enumerate(products):
        others = similarities[:number] + similarities[number + 1 :]
        category = product.attributes.category
        found.append(
            {
                "region": similarities[number],
                "text": float(text @ product.vector),
                "margin": similarities[number] - max(others, default=0.0),
                "first": float(number == 0),
                "category": _agrees(described.get("category"), category),
                "colour": _agrees(described.get("colour"), product.attributes.colour),
                "pattern": _agrees(described.get("pattern"), product.attributes.pattern),
                "category_gap": await tagger.category_gap(seen, description, category),
                "product_gap": gaps[number],
            }
        )
    return found


def _agrees(described: str | None, known: str | None) -> float:
    return float(described is None or known is None or described == known)
