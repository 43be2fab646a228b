"""The order of a layer's products by similarity and shared attributes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.Image import Image

from operators.budget import Budget
from operators.matching.look_run import LookRun
from operators.matching.parts import MatchParts
from operators.matching.ranked_product import RankedProduct
from operators.matching.rerank import by_model, by_retrieval, by_similarity, merge_scores
from operators.ports import Candidate, IndexedAttributes, LayerDescription, Vector
from schemas.attributes import StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.rerank import RerankMethod
from tests.doubles import InMemoryThumbnails
from tests.matching.example_looks import TOP_ONLY, look
from tests.matching.painted import outfit
from tests.matching.scripted_model import ScriptedModel

SEEN = LayerDescription(
    "grey floral shirt with purple flowers",
    {"category": "shirt", "colour": "grey", "pattern": "floral", "second_colour": "purple"},
)
COLOURS = (None, "grey", "purple")


def product(
    key: str, cosine: float, colour: str | None = None, **other: str | None
) -> RankedProduct:
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
    return RankedProduct.of(Candidate(key, cosine, attributes, vector), entry)


REGION: Vector = np.array([1.0, 0.0], np.float32)


def order(choices: list[RankedProduct], weight: float, region: Vector | None = REGION) -> list[str]:
    return [r.key for r in by_similarity(choices, region, SEEN, weight)]


def test_the_shared_colour_outweighs_a_little_likeness() -> None:
    swapped = product("a:swapped", 0.80, "purple", category="shirt", pattern="floral")
    right = product("a:right", 0.75, "grey", category="shirt", pattern="floral")
    assert order([swapped, right], 0.1) == ["a:right", "a:swapped"]
    assert order([swapped, right], 0.0) == ["a:swapped", "a:right"]


def test_much_more_likeness_outweighs_a_shared_colour() -> None:
    other, likest = product("a:other", 0.5, "grey"), product("a:likest", 0.9, "purple")
    assert order([other, likest], 0.1) == ["a:likest", "a:other"]


def test_an_unknown_attribute_counts_one_half() -> None:
    same = [product("a:b", 0.7, "grey"), product("a:c", 0.7), product("a:d", 0.7, "purple")]
    assert order(same, 0.1) == ["a:b", "a:c", "a:d"]


def test_a_plain_product_or_one_of_the_second_colour_comes_after_a_patterned_one() -> None:
    """The layer is grey with purple flowers; a product's own second colour is not known."""
    plain = product("a:plain", 0.72, "grey", category="shirt", pattern="solid")
    swapped = product("b:swapped", 0.71, "purple", category="shirt", pattern="floral")
    striped = product("c:striped", 0.70, "grey", category="shirt", pattern="striped")
    assert order([plain, swapped, striped], 0.1) == ["c:striped", "a:plain", "b:swapped"]
    scores = {p.key: p.score for p in by_similarity([plain, striped], REGION, SEEN, 0.1)}
    assert scores == pytest.approx({"a:plain": 0.72 + 0.1, "c:striped": 0.70 + 0.2})


def test_a_second_colour_that_is_the_first_is_none() -> None:
    one = LayerDescription("grey shirt", {"colour": "grey", "second_colour": "grey"})
    (found,) = by_similarity([product("a:b", 0.5, "grey", pattern="solid")], REGION, one, 0.1)
    assert found.score == pytest.approx(0.5 + 0.1 + 2 * 0.05)


def test_without_a_region_the_query_vectors_similarity_counts() -> None:
    assert order([product("a:far", 0.2), product("a:near", 0.9)], 0.1, None) == ["a:near", "a:far"]


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
    choices = [product(f"a:{n:02}", cosine, colour) for n, (cosine, colour) in enumerate(cosines)]
    shuffled = list(choices)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    ranked = by_similarity(shuffled, REGION, SEEN, weight)
    scores = [r.score for r in ranked]
    assert scores == pytest.approx(sorted(scores, reverse=True))
    assert order(shuffled, weight) == order(choices, weight)
    assert sorted(order(choices, weight)) == sorted(c.key for c in choices)


def test_the_order_of_retrieval_is_by_similarity_and_then_by_key() -> None:
    found = [product("a:c", 0.5), product("a:b", 0.5), product("a:a", 0.1), product("a:d", 0.9)]
    ranked = by_retrieval([replace(item, score=-1.0) for item in found])
    assert [(item.key, item.score) for item in ranked] == [
        ("a:d", 0.9),
        ("a:b", 0.5),
        ("a:c", 0.5),
        ("a:a", 0.1),
    ]


def test_each_shared_attribute_adds_its_weight() -> None:
    known = product("a:b", 0.5, "grey", category="shirt", pattern="solid")
    unknown = product("a:c", 0.5)
    scores = {item.key: item.score for item in by_similarity([known, unknown], REGION, SEEN, 0.1)}
    # One less: a plain product is none of a layer with purple flowers.
    assert scores == pytest.approx({"a:b": 0.5 + 0.1, "a:c": 0.5 + 3 * 0.05})


def merged(scores: dict[int, float]) -> list[tuple[str, float]]:
    products = [product(f"a:{n}", 1 - n / 10) for n in range(4)]
    return [(item.key, item.score) for item in merge_scores(products, scores)]


def test_judged_products_are_ordered_among_their_own_places() -> None:
    """The others keep theirs, with the score of the product before them."""
    assert merged({0: 0.2, 2: 0.8, 3: 0.5}) == [
        ("a:2", 0.8),
        ("a:1", 0.8),
        ("a:3", 0.5),
        ("a:0", 0.2),
    ]


def test_a_product_before_all_judged_ones_has_the_best_score() -> None:
    assert merged({1: 0.3, 2: 0.3}) == [
        ("a:0", 0.3),
        ("a:1", 0.3),
        ("a:2", 0.3),
        ("a:3", 0.3),
    ]
    assert merged({}) == [(f"a:{n}", 0.0) for n in range(4)]


class Judge(ScriptedModel):
    """Answers a pointwise rerank with ``scores``, in the order of the pictures."""

    def __init__(self, scores: Sequence[float | None]) -> None:
        super().__init__(TOP_ONLY)
        self._scores = scores

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        assert len(candidates) == len(self._scores)
        return list(self._scores)


async def judge(
    parts: MatchParts, scores: Sequence[float | None], pictures: Sequence[str]
) -> tuple[list[tuple[str, float]] | None, list[str]]:
    """The order by a model that answers ``scores`` for the products in ``pictures``; degradations.

    The products a:0, a:1 and a:2 have scores of 0.9, 0.8 and 0.7.
    """
    thumbnails = InMemoryThumbnails()
    for key in pictures:
        await thumbnails.put(key, outfit())
    settings = parts.settings.model_copy(update={"rerank_weight": 0.25})
    run = LookRun(look(), replace(parts, thumbnails=thumbnails, settings=settings), Budget.of(30))
    products = [product(f"a:{n}", 0.9 - n / 10) for n in range(3)]
    ranked = await by_model(
        run, products, "a shirt", outfit(), RerankMethod.POINTWISE, Judge(scores)
    )
    found = None if ranked is None else [(item.key, item.score) for item in ranked]
    return found, run.journal.degraded


async def test_the_models_score_counts_with_its_weight(empty_shop: MatchParts) -> None:
    ranked, degraded = await judge(empty_shop, [0.0, 1.0, 0.5], ["a:0", "a:1", "a:2"])
    assert ranked is not None
    assert [key for key, _ in ranked] == ["a:1", "a:0", "a:2"]
    expected = [0.75 * 0.8 + 0.25, 0.75 * 0.9, 0.75 * 0.7 + 0.125]
    assert [score for _, score in ranked] == pytest.approx(expected)
    assert degraded == []


async def test_answers_belong_to_the_products_that_have_a_picture(empty_shop: MatchParts) -> None:
    ranked, _ = await judge(empty_shop, [1.0], ["a:2"])
    assert ranked is not None
    assert [key for key, _ in ranked] == ["a:0", "a:1", "a:2"]
    assert ranked[2][1] == pytest.approx(0.75 * 0.7 + 0.25)


async def test_a_model_without_pictures_or_answers_judges_nothing(empty_shop: MatchParts) -> None:
    assert await judge(empty_shop, [], []) == (None, ["rerank:no-thumbnails"])
    assert await judge(empty_shop, [None, None], ["a:0", "a:1"]) == (None, ["rerank:no-answer"])
