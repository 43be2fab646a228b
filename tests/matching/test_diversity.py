"""Variety within a layer's list."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.matching.diversity import diversify
from operators.matching.ranked_product import RankedProduct
from tests.matching.test_rerank import product

COSINES = st.lists(st.floats(-1, 1), max_size=12)


def ranked(*pairs: tuple[float, float]) -> list[RankedProduct]:
    """Products of these scores, best first; the second number places their vectors (cosine)."""
    return [
        replace(product(f"a:{n:02}", cosine), score=score)
        for n, (score, cosine) in enumerate(pairs)
    ]


def keys(products: list[RankedProduct]) -> list[str]:
    return [one.key for one in products]


def test_one_that_differs_comes_before_a_copy_of_the_first() -> None:
    first_copy_other = ranked((0.9, 1.0), (0.89, 1.0), (0.8, 0.0))
    assert keys(diversify(first_copy_other, 0.3, 3)) == ["a:00", "a:02", "a:01"]
    assert keys(diversify(first_copy_other, 0.01, 3)) == ["a:00", "a:01", "a:02"]


def test_one_from_beyond_the_list_takes_the_place_of_a_copy() -> None:
    found = diversify(ranked((0.9, 1.0), (0.89, 1.0), (0.88, 1.0), (0.8, 0.0)), 0.5, 2)
    assert keys(found) == ["a:00", "a:03", "a:01", "a:02"]


@given(cosines=COSINES, diversity=st.floats(0, 1), count=st.integers(1, 12))
def test_every_product_is_kept_and_the_best_one_stays_first(
    cosines: list[float], diversity: float, count: int
) -> None:
    products = ranked(*((1 - n / 20, cosine) for n, cosine in enumerate(cosines)))
    found = diversify(products, diversity, count)
    assert sorted(keys(found)) == keys(products)
    assert keys(found)[:1] == keys(products)[:1]
    assert keys(diversify(products, 0.0, count)) == keys(products)


@given(cosines=COSINES, diversity=st.floats(0.01, 1), count=st.integers(2, 12))
def test_the_next_product_is_the_one_worth_most(
    cosines: list[float], diversity: float, count: int
) -> None:
    products = ranked(*((1 - n / 20, cosine) for n, cosine in enumerate(cosines)))
    found = diversify(products, diversity, count)
    for place in range(1, min(count, len(found))):
        before = np.stack([one.vector for one in found[:place]])
        worth = [
            (1 - diversity) * one.score - diversity * float((before @ one.vector).max())
            for one in found[place:]
        ]
        assert worth[0] >= max(worth) - 1e-6
