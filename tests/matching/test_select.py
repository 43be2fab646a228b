"""Properties of selection: eligibility, relaxation and folding of near-duplicates."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.matching.eligibility import passes
from operators.matching.ranked_product import RankedProduct
from operators.matching.relaxation import LADDER, ladder
from operators.matching.retrieve import coarse_filters
from operators.matching.select import fold
from operators.ports import Candidate, IndexedAttributes
from schemas.attributes import Attribute, Department, Gender, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.looks import ImageReference, Look, Preferences
from schemas.money import Money
from tests.indexed_products import BARE, PLAIN

BRANDS = ("Nima", "NIMA", "Kesto", "Rua")
COLOURS = ("red", "blue", "black")
SIZES = ("ALPHA:S", "ALPHA:M", "ALPHA:L")
TIE = 1e-5
THRESHOLD = 0.99
NOW = datetime(2026, 1, 1, tzinfo=UTC)

prices = st.builds(
    Money,
    amount_minor=st.integers(0, 40).map(lambda n: n * 100),
    currency=st.sampled_from(["INR", "USD"]),
)
preferences = st.builds(
    Preferences,
    brands=st.lists(st.sampled_from(BRANDS), max_size=2).map(tuple),
    excluded_brands=st.lists(st.sampled_from(BRANDS), max_size=1).map(tuple),
    colours=st.lists(st.sampled_from(COLOURS), max_size=2).map(tuple),
    sizes=st.dictionaries(
        st.sampled_from([Department.TOP, Department.BOTTOM]),
        st.lists(st.sampled_from(SIZES), max_size=2).map(tuple),
        max_size=2,
    ),
    min_price=st.none() | prices,
    max_price=st.none() | prices,
)
looks = st.builds(
    Look,
    look_id=st.just("look"),
    image=st.just(ImageReference(url="https://shop.example/look.jpg")),
    market=st.sampled_from([None, "IN", "US"]),
    gender=st.sampled_from([None, *Gender]),
    preferences=preferences,
    inferred=preferences,
)


@st.composite
def entries(draw: st.DrawFn) -> LedgerEntry:
    def attribute(*values: str) -> Attribute | None:
        value = draw(st.none() | st.sampled_from(values))
        return None if value is None else Attribute(value=value, source="vendor", confidence=1.0)

    return LedgerEntry(
        key=f"shop:{draw(st.integers(0, 10**6))}",
        version=draw(st.none() | st.integers(0, 3)),
        deleted_version=draw(st.none() | st.integers(0, 3)),
        update=ProductUpdate(
            brand=draw(st.none() | st.sampled_from(BRANDS)),
            market=draw(st.sampled_from([None, "IN", "US"])),
            price=draw(st.none() | prices),
            stock=draw(st.none() | st.integers(0, 1)),
            available=draw(st.booleans()),
        ),
        attributes=StandardAttributes(
            department=attribute("top", "bottom"),
            colour=attribute(*COLOURS),
            gender=attribute(*Gender),
            sizes=tuple(draw(st.lists(st.sampled_from(SIZES), max_size=2))),
        ),
    )


@given(entry=entries(), look=looks)
def test_what_passes_satisfies_every_preference(entry: LedgerEntry, look: Look) -> None:
    if not passes(entry, look, Department.TOP, (look.preferences, look.inferred), NOW):
        return
    update, attributes = entry.update, entry.attributes
    assert entry.exists
    assert update.available
    assert update.stock != 0
    assert attributes.department is not None
    assert attributes.department.value == "top"
    assert look.market in (None, update.market)
    if look.gender and attributes.gender:
        assert attributes.gender.value in (look.gender.value, "unisex")
    for wish in (look.preferences, look.inferred):
        brand = update.brand.lower() if update.brand else None
        assert not wish.brands or brand in [name.lower() for name in wish.brands]
        assert brand not in [name.lower() for name in wish.excluded_brands]
        if wish.colours:
            assert attributes.colour is not None
            assert attributes.colour.value in wish.colours
        if wish.sizes.get(Department.TOP):
            assert set(attributes.sizes) & set(wish.sizes[Department.TOP])
        if wish.min_price:
            assert update.price is not None
            assert update.price.currency == wish.min_price.currency
            assert update.price.amount_minor >= wish.min_price.amount_minor
        if wish.max_price:
            assert update.price is not None
            assert update.price.currency == wish.max_price.currency
            assert update.price.amount_minor <= wish.max_price.amount_minor


@given(entry=entries(), look=looks)
def test_fewer_preferences_never_exclude_more(entry: LedgerEntry, look: Look) -> None:
    if passes(entry, look, Department.TOP, (look.preferences, look.inferred), NOW):
        assert passes(entry, look, Department.TOP, (look.preferences,), NOW)


@given(look=looks)
def test_preferences_without_a_filter_contradict_each_other(look: Look) -> None:
    both = (look.preferences, look.inferred)
    if coarse_filters(look, Department.TOP, both) is None:
        alone = [coarse_filters(look, Department.TOP, (wish,)) for wish in both]
        mixed = any(
            wish.min_price and wish.max_price and wish.min_price.currency != wish.max_price.currency
            for wish in both
        )
        assert mixed or all(filters is not None for filters in alone)


@given(inferred=preferences)
def test_the_ladder_relaxes_one_preference_per_step_until_none_is_left(
    inferred: Preferences,
) -> None:
    steps = list(ladder(inferred, Department.TOP))
    assert steps[0] == ((), inferred)
    for (before, _), (after, _) in pairwise(steps):
        assert after[:-1] == before
    relaxed, left = steps[-1]
    assert list(relaxed) == [name for name in LADDER if name in relaxed]
    assert coarse_filters(
        Look(look_id="x", image=ImageReference(url="u")), Department.TOP, (left,)
    ) == coarse_filters(Look(look_id="x", image=ImageReference(url="u")), Department.TOP, ())


@st.composite
def retrieved(draw: st.DrawFn) -> list[RankedProduct]:
    """Few directions, styles and pictures, so that many are near-duplicates."""
    directions = np.random.default_rng(draw(st.integers(0, 50))).standard_normal((4, 8))
    made = []
    for number in range(draw(st.integers(0, 12))):
        direction = directions[draw(st.integers(0, 3))]
        vector = (direction / np.linalg.norm(direction)).astype(np.float32)
        attributes = IndexedAttributes(
            department="top",
            category=None,
            gender=None,
            colour=None,
            pattern=None,
            brand=None,
            market=None,
            sizes=(),
            in_stock=True,
            price_bucket=None,
            currency=None,
            style=draw(st.sampled_from([None, "a", "b", "c"])),
            image_hash=draw(st.sampled_from(["", "p", "q", "r"])),
        )
        similarity = draw(st.sampled_from([0.9, 0.8, 0.7, 0.6]))
        candidate = Candidate(f"shop:{number}", similarity, attributes, vector)
        made.append(RankedProduct.of(candidate, LedgerEntry(key=candidate.key)))
    return made


def near_duplicates(one: RankedProduct, other: RankedProduct) -> bool:
    a, b = one.attributes, other.attributes
    return (
        (a.style is not None and a.style == b.style)
        or (a.image_hash != "" and a.image_hash == b.image_hash)
        or float(one.vector @ other.vector) >= THRESHOLD
    )


@given(found=retrieved(), data=st.data())
def test_folding_keeps_the_best_of_each_family_in_order_and_loses_none(
    found: list[RankedProduct], data: st.DataObject
) -> None:
    kept = fold(data.draw(st.permutations(found)), THRESHOLD)
    order = [(-product.similarity, product.key) for product in kept]
    assert order == sorted(order)
    for number, product in enumerate(kept):
        assert not any(near_duplicates(product, other) for other in kept[:number])
    keys = {product.key for product in kept}
    for product in found:
        if product.key not in keys:
            better = [k for k in kept if near_duplicates(product, k)]
            assert better
            assert max(k.similarity for k in better) >= product.similarity - TIE
    assert sum(product.folded for product in kept) == len(found) - len(kept)


def tops(
    *similarities: float,
    threshold: float = THRESHOLD,
    style: str | None = None,
    image_hash: str = "",
) -> list[tuple[str, int]]:
    """Fold tops with vectors at right angles: each that is kept, and how many it stands for."""
    attributes = replace(PLAIN, style=style, image_hash=image_hash)
    axes = np.eye(9, dtype=np.float32)
    products = [
        RankedProduct.of(
            Candidate(f"a:{n}", similarity, attributes, axes[n]),
            LedgerEntry(key=f"a:{n}"),
        )
        for n, similarity in enumerate(similarities)
    ]
    return [(product.key, product.folded) for product in fold(products, threshold)]


def test_products_without_style_and_picture_are_no_family() -> None:
    assert tops(0.1, 0.3, 0.2) == [("a:1", 0), ("a:2", 0), ("a:0", 0)]
    assert tops(0.1, 0.1) == [("a:0", 0), ("a:1", 0)]


def test_a_family_is_represented_by_the_same_product_however_its_picture_was_batched() -> None:
    assert tops(0.3, 0.3 + 1e-6, style="x") == [("a:0", 1)]
    assert tops(0.3 + 1e-6, 0.3, style="x") == [("a:0", 1)]
    assert tops(0.3, 0.3 + 1e-4, style="x") == [("a:1", 1)]


def test_products_of_one_style_or_picture_are_one_family() -> None:
    assert tops(0.1, 0.3, 0.2, style="x") == [("a:1", 2)]
    assert tops(0.1, 0.3, 0.2, image_hash="x") == [("a:1", 2)]


def test_a_cosine_of_the_threshold_is_a_near_duplicate() -> None:
    assert tops(0.1, 0.3, threshold=0.0) == [("a:1", 1)]
    assert tops(0.1, 0.3, threshold=0.1) == [("a:1", 0), ("a:0", 0)]


def test_a_product_found_twice_is_shown_once() -> None:
    candidate = Candidate("a:1", 0.5, BARE, np.zeros(4, dtype=np.float32))
    product = RankedProduct.of(candidate, LedgerEntry(key="a:1"))
    assert product.folded == 0
    found = fold([product, product], THRESHOLD)
    assert [(product.key, product.folded) for product in found] == [("a:1", 1)]


def test_the_ladder_goes_from_colours_to_dislikes() -> None:
    price = Money(amount_minor=100, currency="INR")
    everything = Preferences(
        brands=("Nima",),
        excluded_brands=("Rua",),
        colours=("red",),
        sizes={Department.TOP: ("ALPHA:M",), Department.BOTTOM: ("UK:8",)},
        min_price=price,
        max_price=price,
    )
    steps = list(ladder(everything, Department.TOP))
    assert [relaxed[-1:] for relaxed, _ in steps] == [
        (),
        ("colours",),
        ("max_price",),
        ("min_price",),
        ("brands",),
        ("sizes",),
        ("excluded_brands",),
    ]
    assert steps[1][1] == everything.model_copy(update={"colours": ()})
    assert steps[-1][1] == Preferences()


def test_sizes_of_another_department_make_no_step() -> None:
    other = Preferences(sizes={Department.BOTTOM: ("UK:8",)})
    assert list(ladder(other, Department.TOP)) == [((), other)]
