"""Trade likeness for variety within a layer's list."""

from __future__ import annotations

from collections.abc import Sequence

from operators.matching.ranked_product import RankedProduct


def diversify(
    products: Sequence[RankedProduct], diversity: float, count: int
) -> list[RankedProduct]:
    """The first ``count`` products chosen by maximal marginal relevance, then the others in order.

    The best product stays first. Each next one has the highest ``(1 - diversity) * score -
    diversity * s``, where s is its highest cosine with a product already chosen; ties by order
    (Carbonell and Goldstein, SIGIR 1998). ``products``: best first; ``diversity``: 0 (the order
    stays) to 1.
    """
    if diversity == 0:
        return list(products)
    chosen, rest = list(products[:1]), list(products[1:])
    alike = [float(one.vector @ first.vector) for first in chosen for one in rest]
    while rest and len(chosen) < count:
        worth = [
            (1 - diversity) * one.score - diversity * likeness
            for one, likeness in zip(rest, alike, strict=True)
        ]
        best = worth.index(max(worth))
        chosen.append(rest.pop(best))
        alike.pop(best)
        newest = chosen[-1].vector
        alike = [
            max(likeness, float(one.vector @ newest))
            for one, likeness in zip(rest, alike, strict=True)
        ]
    return [*chosen, *rest]
