"""The methods that can order a layer's products."""

from __future__ import annotations

from enum import StrEnum


class RerankMethod(StrEnum):
    """What orders a layer's products."""

    NONE = "none"
    """Retrieval: the similarity with the query vector."""
    SIMILARITY = "similarity"
    """The similarity with the layer's region, and the attributes shared."""
    POINTWISE = "pointwise"
    """One question per product: the same? Scored by the probability of yes."""
    LIKELIHOOD = "likelihood"
    """How likely the layer's query is as a description of each product."""
    LISTWISE = "listwise"
    """One question for all products: in which order?"""

    @property
    def asks_model(self) -> bool:
        """Whether a vision-language model judges."""
        return self not in (RerankMethod.NONE, RerankMethod.SIMILARITY)
