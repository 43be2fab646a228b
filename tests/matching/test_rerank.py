"""The order of a layer's products by similarity and shared attributes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.matching.rerank import by_similarity
from operators.matching.retrieve import Offer
from operators.matching.select import Choice
from operators.ports import Candidate, IndexedAttributes, LayerDescription, Vector
from schemas.attributes import StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate

SEEN = LayerDescription(
    "grey floral shirt with purple flowers",
    {"category": "shirt", "colour": "grey", "pattern": "floral", "second_colour": "purple"},
)
COLOURS = (None, "grey", "purple")


def choice(key: str, cosine: float, colour: str | None = None, **other: str | None) -> Choice:
    """A product whose vector has this cosine with REGION."""
    attributes = IndexedAttributes(
        department="top",
        category=other.get("category"),
        gender=None,
        colour=colour,
        pattern=other.get("pattern"),
        brand=None,
        market=None,
        sizes=(),
        in_stock=True,
        price_bucket=None,
        currency=None,
        style=None,
        image_hash="",
    )
    vector = np.array([cosine, np.sqrt(1 - cosine**2)], np.float32)
    entry = LedgerEntry(
        key=key,
        version=1,
        update=ProductUpdate(title=key),
        attributes=StandardAttributes(),
        image_hash="hash",
    )
    return Choice(Offer(Candidate(key, cosine, attributes, vector), entry), 0)


REGION: Vector = np.array([1.0, 0.0], np.float32)


def order(choices: list[Choice], weight: float, region: Vector | None = REGION) -> list[str]:
    return [r.choice.offer.candidate.key for r in by_similarity(choices, region, SEEN, weight)]


def test_the_shared_colour_outweighs_a_little_likeness() -> None:
    swapped = choice("a:swapped", 0.80, "purple", category="shirt", pattern="floral")
    right = choice("a:right", 0.75, "grey", category="shirt", pattern="floral")
    assert order([swapped, right], 0.1) == ["a:right", "a:swapped"]
    assert order([swapped, right], 0.0) == ["a:swapped", "a:right"]


def test_much_more_likeness_outweighs_a_shared_colour() -> None:
    other, likest = choice("a:other", 0.5, "grey"), choice("a:likest", 0.9, "purple")
    assert order([other, likest], 0.1) == ["a:likest", "a:other"]


def test_what_is_not_known_counts_for_neither_side() -> None:
    same = [choice("a:b", 0.7, "grey"), choice("a:c", 0.7), choice("a:d", 0.7, "purple")]
    assert order(same, 0.1) == ["a:b", "a:c", "a:d"]


def test_without_a_region_the_query_vectors_similarity_counts() -> None:
    assert order([choice("a:far", 0.2), choice("a:near", 0.9)], 0.1, None) == ["a:near", "a:far"]


@given(
    cosines=st.lists(
        st.tuples(st.floats(-1, 1), st.sampled_from(COLOURS)), min_size=1, max_size=12
    ),
    weight=st.floats(0, 1),
    seed=st.randoms(),
)
def test_every_product_is_kept_once_and_order_does_not_depend_on_the_input_order(
    cosines: list[tuple[float, str | None]], weight: float, seed: object
) -> None:
    choices = [choice(f"a:{n:02}", cosine, colour) for n, (cosine, colour) in enumerate(cosines)]
    shuffled = list(choices)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    ranked = by_similarity(shuffled, REGION, SEEN, weight)
    scores = [r.score for r in ranked]
    assert scores == pytest.approx(sorted(scores, reverse=True))
    assert order(shuffled, weight) == order(choices, weight)
    assert sorted(order(choices, weight)) == sorted(c.offer.candidate.key for c in choices)
