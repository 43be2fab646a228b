"""A product that may be shown for a layer, with everything that its place depends on."""

from __future__ import annotations

from dataclasses import dataclass

from operators.ports import Candidate, IndexedAttributes, Vector
from schemas.catalog import LedgerEntry


@dataclass(frozen=True, slots=True, eq=False)
class RankedProduct:
    """A candidate of the index with its current state and its score."""

    key: str
    similarity: float
    """Cosine with the layer's query vector."""
    vector: Vector
    attributes: IndexedAttributes
    entry: LedgerEntry
    """The current state, from the ledger; the index may be moments behind it."""
    score: float
    """Higher is better. The similarity, until reranking replaces it."""
    folded: int = 0
    """Near-duplicates that this product represents."""

    @classmethod
    def of(cls, candidate: Candidate, entry: LedgerEntry) -> RankedProduct:
        """``candidate`` scored by its similarity."""
        return cls(
            key=candidate.key,
            similarity=candidate.similarity,
            vector=candidate.vector,
            attributes=candidate.attributes,
            entry=entry,
            score=candidate.similarity,
        )
