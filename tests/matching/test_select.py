"""Decisions of selection as properties: what is shown, in which order, and what stands for what."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.matching.retrieve import Offer, coarse_filters
from operators.matching.select import LADDER, fold, ladder, passes
from operators.ports import Candidate, IndexedAttributes
from schemas.attributes import Attribute, Department, Gender, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.looks import ImageReference, Look, Preferences
from schemas.money import Money

BRANDS = ("Nima", "NIMA", "Kesto", "Rua")
COLOURS = ("red", "blue", "black")
SIZES = ("ALPHA:S", "ALPHA:M", "ALPHA:L")
THRESHOLD = 0.99

prices = st.builds(
    Money,
    amount_minor=st.integers(0, 40).map(lambda n: n * 100),
    currency=st.sampled_from(["INR", "USD"]),
)
wishes = st.builds(
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
    preferences=wishes,
    inferred=wishes,
)


@st.composite
def entries(draw: st.DrawFn) -> LedgerEntry:
    def attribute(*values: str) -> Attribute | None:
        value = draw(st.none() | st.sampled_from(values))
        return None if value is None else Attribute(value=value, source="vendor", confidence=1.0)

    return LedgerEntry(
        key=f"shop:{draw(st.integers(0, 10**6))}",
        version=draw(st.integers(-1, 3)),
        deleted_version=draw(st.integers(-1, 3)),
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
def test_what_passes_fulfils_every_explicit_wish(entry: LedgerEntry, look: Look) -> None:
    if not passes(entry, look, Department.TOP, (look.preferences, look.inferred)):
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
def test_fewer_wishes_never_let_less_through(entry: LedgerEntry, look: Look) -> None:
    if passes(entry, look, Department.TOP, (look.preferences, look.inferred)):
        assert passes(entry, look, Department.TOP, (look.preferences,))


@given(look=looks)
def test_wishes_without_a_filter_exclude_each_other(look: Look) -> None:
    both = (look.preferences, look.inferred)
    if coarse_filters(look, Department.TOP, both) is None:
        alone = [coarse_filters(look, Department.TOP, (wish,)) for wish in both]
        mixed = any(
            wish.min_price and wish.max_price and wish.min_price.currency != wish.max_price.currency
            for wish in both
        )
        assert mixed or all(filters is not None for filters in alone)


@given(inferred=wishes)
def test_the_ladder_lets_go_of_one_wish_after_the_other_until_none_is_left(
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
def offers(draw: st.DrawFn) -> list[Offer]:
    """Few directions, styles and pictures, so that many are doubles of each other."""
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
        made.append(Offer(candidate, LedgerEntry(key=candidate.key)))
    return made


def doubles(one: Offer, other: Offer) -> bool:
    a, b = one.candidate, other.candidate
    return (
        (a.attributes.style is not None and a.attributes.style == b.attributes.style)
        or (a.attributes.image_hash != "" and a.attributes.image_hash == b.attributes.image_hash)
        or float(a.vector @ b.vector) >= THRESHOLD
    )


@given(found=offers(), data=st.data())
def test_folding_keeps_the_best_of_each_family_in_order_and_loses_nobody(
    found: list[Offer], data: st.DataObject
) -> None:
    choices = fold(data.draw(st.permutations(found)), THRESHOLD)
    kept = [choice.offer for choice in choices]
    order = [(-offer.candidate.similarity, offer.candidate.key) for offer in kept]
    assert order == sorted(order)
    for number, offer in enumerate(kept):
        assert not any(doubles(offer, other) for other in kept[:number])
    for offer in found:
        if offer not in kept:
            better = [k for k in kept if doubles(offer, k)]
            assert better
            assert max(k.candidate.similarity for k in better) >= offer.candidate.similarity
    assert sum(choice.folded for choice in choices) == len(found) - len(kept)
