"""The searches sent to the vector store, and which results count as products."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from operators.budget import Budget
from operators.matching.candidates import REFILLS, find_candidates
from operators.matching.look_run import LookRun
from operators.matching.parts import MatchParts
from operators.matching.retrieve import coarse_filters, retrieve
from operators.ports import Candidate, Filters, Vector
from operators.vocabulary.price_bucket import bucket_range
from schemas.attributes import Department, Gender
from schemas.looks import Preferences
from schemas.money import Money
from tests.doubles import InMemoryIndex
from tests.matching.example_looks import look
from tests.matching.painted import Facts, PaintEncoder, add_product

TOP = Department.TOP


def rupees(amount: int) -> Money:
    return Money(amount_minor=amount, currency="INR")


def filters(*preferences: Preferences, **context: Any) -> Filters:
    found = coarse_filters(look(**context), TOP, preferences)
    assert found is not None
    return found


def test_a_look_without_preferences_restricts_department_and_stock_only() -> None:
    assert filters() == Filters(department="top")


def test_the_context_restricts_market_and_gender() -> None:
    found = filters(market="IN", gender=Gender.FEMALE)
    assert (found.market, found.genders) == ("IN", frozenset({"female", "unisex"}))


def test_preferences_are_intersected_and_dislikes_are_joined() -> None:
    found = filters(
        Preferences(brands=("Nima", "Rua"), colours=("red", "blue"), excluded_brands=("A",)),
        Preferences(brands=("NIMA",), excluded_brands=("B",)),
        Preferences(colours=("blue", "green")),
    )
    assert (found.brands, found.colours) == (frozenset({"nima"}), frozenset({"blue"}))
    assert found.excluded_brands == {"a", "b"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Preferences(brands=("Nima",)), Preferences(brands=("Rua",))),
        (Preferences(colours=("red",)), Preferences(colours=("blue",))),
        (
            Preferences(min_price=rupees(1)),
            Preferences(max_price=Money(amount_minor=9, currency="USD")),
        ),
    ],
)
def test_preferences_that_contradict_each_other_have_no_filter(
    one: Preferences, other: Preferences
) -> None:
    assert coarse_filters(look(), TOP, (one, other)) is None
    assert coarse_filters(look(), TOP, (one,)) is not None
    assert coarse_filters(look(), TOP, (other,)) is not None


def test_the_narrowest_price_range_counts() -> None:
    found = filters(
        Preferences(min_price=rupees(100), max_price=rupees(90_000)),
        Preferences(min_price=rupees(5_000), max_price=rupees(20_000)),
        Preferences(min_price=rupees(200), max_price=rupees(50_000)),
    )
    assert found.price_buckets == bucket_range(rupees(5_000), rupees(20_000))
    assert found.currency == "INR"
    assert filters(Preferences(min_price=rupees(5_000))).price_buckets == bucket_range(
        rupees(5_000), None
    )
    assert filters(Preferences(max_price=rupees(5_000))).price_buckets == bucket_range(
        None, rupees(5_000)
    )


def test_of_several_size_preferences_the_first_of_the_department_counts() -> None:
    found = filters(
        Preferences(sizes={Department.BOTTOM: ("UK:8",)}),
        Preferences(sizes={TOP: ("ALPHA:M",)}),
        Preferences(sizes={TOP: ("ALPHA:L",)}),
    )
    assert found.sizes == {"ALPHA:M"}
    assert filters(Preferences(sizes={Department.BOTTOM: ("UK:8",)})).sizes == frozenset()


class CountingIndex(InMemoryIndex):
    """Records the limits of its searches."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int] = []

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        self.limits.append(limit)
        return await super().search(vector, filters, limit)


WORDS = ("striped shirt", "dotted blouse", "floral t-shirt", "solid sweater", "checked tank")


@pytest.fixture
async def run(empty_shop: MatchParts) -> LookRun:
    """A shop with five tops of five families; at most two are shown for a layer."""
    index = CountingIndex()
    settings = empty_shop.settings.model_copy(
        update={"products_per_layer": 2, "over_fetch": 1, "min_products": 1}
    )
    parts = replace(empty_shop, index=index, settings=settings)
    for number, words in enumerate(WORDS):
        await add_product(index, parts.ledger, f"a:{number}", f"red top {words}")
    return LookRun(look(), parts, Budget.of(30))


@pytest.fixture
async def vector() -> Vector:
    return await PaintEncoder().encode_text(f"red top {WORDS[0]}")


def limits(run: LookRun) -> list[int]:
    assert isinstance(run.parts.index, CountingIndex)
    return run.parts.index.limits


async def test_the_nearest_products_come_first_with_their_state(
    run: LookRun, vector: Vector
) -> None:
    products, more = await retrieve(run, vector, Filters(), 3)
    assert products[0].key == "a:0"
    assert products[0].similarity == products[0].score == pytest.approx(1.0)
    assert products[0].entry == await run.parts.ledger.read("a:0")
    assert (len(products), more) == (3, True)


async def test_fewer_candidates_than_the_limit_are_all_there_are(
    run: LookRun, vector: Vector
) -> None:
    products, more = await retrieve(run, vector, Filters(), 6)
    assert (len(products), more) == (5, False)


async def test_what_the_ledger_does_not_have_is_left_out(run: LookRun, vector: Vector) -> None:
    entry = await run.parts.ledger.read("a:0")
    assert entry is not None
    await run.parts.ledger.write(entry.model_copy(update={"deleted_version": 2}))
    stored = await run.parts.index.get("a:1")
    assert stored is not None
    await run.parts.index.upsert("a:unknown", stored.vector, stored.attributes)

    products, _ = await retrieve(run, vector, Filters(), 10)

    assert sorted(product.key for product in products) == ["a:1", "a:2", "a:3", "a:4"]


async def test_enough_products_need_one_search(run: LookRun, vector: Vector) -> None:
    products, relaxed = await find_candidates(run, TOP, vector)
    assert (len(products), relaxed) == (2, ())
    assert limits(run) == [2]


async def test_filtered_products_are_replaced_by_twice_as_many_candidates(
    run: LookRun, vector: Vector
) -> None:
    for key in ("a:0", "a:1", "a:2"):
        entry = await run.parts.ledger.read(key)
        assert entry is not None
        sold_out = entry.update.model_copy(update={"stock": 0})
        await run.parts.ledger.write(entry.model_copy(update={"update": sold_out}))

    products, _ = await find_candidates(run, TOP, vector)

    assert {product.key for product in products} == {"a:3", "a:4"}
    assert limits(run) == [2, 4, 8]


async def test_a_search_is_repeated_three_times_at_most(run: LookRun, vector: Vector) -> None:
    """All of many products are one family: no search finds a second one."""
    for number in range(40):
        await add_product(
            run.parts.index,
            run.parts.ledger,
            f"b:{number}",
            f"red top {WORDS[0]}",
            Facts(style="b:one"),
        )
    products, _ = await find_candidates(run, TOP, vector)
    assert len(products) == 1
    assert REFILLS == 3
    assert limits(run) == [2, 4, 8, 16]


async def test_a_settings_over_fetch_multiplies_the_first_search(
    run: LookRun, vector: Vector
) -> None:
    settings = run.parts.settings.model_copy(update={"over_fetch": 3})
    run = replace(run, parts=replace(run.parts, settings=settings))
    await find_candidates(run, TOP, vector)
    assert limits(run) == [6]


async def test_preferences_are_relaxed_until_there_are_enough_products(
    run: LookRun, vector: Vector
) -> None:
    inferred = Preferences(colours=("blue",), brands=("Nima",), sizes={TOP: ("ALPHA:M",)})
    run = replace(run, look=look(inferred=inferred))
    products, relaxed = await find_candidates(run, TOP, vector)
    assert (len(products), relaxed) == (2, ("colours",))

    nobody = Preferences(excluded_brands=("nima",), colours=("blue",))
    run = replace(run, look=look(preferences=Preferences(colours=("blue",)), inferred=nobody))
    products, relaxed = await find_candidates(run, TOP, vector)
    assert (products, relaxed) == ([], ("colours", "excluded_brands"))


async def test_contradicting_preferences_find_nothing_without_a_search(
    run: LookRun, vector: Vector
) -> None:
    red, blue = Preferences(colours=("red",)), Preferences(colours=("blue",))
    run = replace(run, look=look(preferences=red, inferred=blue))
    _, relaxed = await find_candidates(run, TOP, vector)
    assert relaxed == ("colours",)
    assert len(limits(run)) == 1
