"""The methods of reranking a layer's products."""

from __future__ import annotations

from enum import StrEnum


class RerankMethod(StrEnum):
    """What a layer's products are ordered by."""

    NONE = "none"
    """No reranking: similarity with the query vector."""
    SIMILARITY = "similarity"
    """Similarity with the layer's region, and shared attributes."""
    POINTWISE = "pointwise"
    """The model's probability of "yes" when asked, per product, whether it is the same item."""
    LIKELIHOOD = "likelihood"
    """The model's likelihood of the layer's query as a description of each product."""
    SCORE = "score"
    """A reranking model's probability that each product is the layer, all in a single request."""
    LISTWISE = "listwise"
    """The model's order of all products, in a single request."""

    @property
    def asks_model(self) -> bool:
        """Whether the method uses the vision-language model."""
        return self not in (RerankMethod.NONE, RerankMethod.SIMILARITY)
