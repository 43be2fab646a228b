"""Fold near-duplicates, so that each product family is shown once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from operators.matching.ranked_product import RankedProduct

SIMILARITY_DECIMALS = 5
"""Closer similarities are a tie: the same picture embedded in another batch gives a vector that
differs by about 1e-7, so that the variants of a style would take turns."""


def fold(products: Sequence[RankedProduct], duplicate_similarity: float) -> list[RankedProduct]:
    """One product per family, best first.

    Products are taken by descending similarity, ties (to ``SIMILARITY_DECIMALS``) by key. Each is
    folded into the first kept product of the same style, with the same picture, or with a cosine of
    at least ``duplicate_similarity``; otherwise it is kept. So a family is represented by its best
    product.
    """
    ordered = sorted(
        products, key=lambda product: (-round(product.similarity, SIMILARITY_DECIMALS), product.key)
    )
    kept: list[RankedProduct] = []
    folded: list[int] = []
    for product in ordered:
        duplicate_of = next(
            (
                n
                for n, other in enumerate(kept)
                if _is_near_duplicate(product, other, duplicate_similarity)
            ),
            None,
        )
        if duplicate_of is None:
            kept.append(product)
            folded.append(0)
        else:
            folded[duplicate_of] += 1
    return [replace(product, folded=count) for product, count in zip(kept, folded, strict=True)]


def _is_near_duplicate(
    one: RankedProduct, other: RankedProduct, duplicate_similarity: float
) -> bool:
    a, b = one.attributes, other.attributes
    return (
        one.key == other.key
        or (a.style is not None and a.style == b.style)
        or (bool(a.image_hash) and a.image_hash == b.image_hash)
        or float(np.dot(one.vector, other.vector)) >= duplicate_similarity
    )
