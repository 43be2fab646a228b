"""A look matched again is served from the cache as long as nothing has changed."""

from __future__ import annotations

from dataclasses import replace

from operators.matching.parts import MatchParts
from schemas.attributes import Department, Gender
from schemas.ids import matched_event_id
from schemas.looks import ImageReference, Preferences
from tests.doubles import (
    InMemoryCache,
)
from tests.matching.example_looks import (
    keys,
    layer,
    look,
    match,
)
from tests.matching.painted import PaintEncoder


class Cached:
    """A look matched once with a cache; then matched again under whatever has changed."""

    def __init__(self, parts: MatchParts) -> None:
        self.cache = InMemoryCache()
        self.parts = replace(parts, cache=self.cache)


async def test_the_same_picture_in_the_same_context_is_served_from_the_cache(
    parts: MatchParts,
) -> None:
    known = Cached(parts)
    first = await match(look("one", user_id="ann"), known.parts)
    assert isinstance(parts.encoder, PaintEncoder)
    encoded = parts.encoder.encoded
    again = await match(look("two", user_id="ben"), known.parts)
    assert again.cached
    assert again.layers == first.layers
    assert (again.look_id, again.user_id) == ("two", "ben")
    assert again.event_id == matched_event_id("two")
    assert parts.encoder.encoded == encoded
    assert set(known.cache.ttl_seconds.values()) == {parts.settings.cache_seconds}


async def test_another_context_misses_the_cache(parts: MatchParts) -> None:
    known = Cached(parts)
    await match(look(), known.parts)
    for asked in (
        look(market="IN"),
        look(gender=Gender.FEMALE),
        look(preferences=Preferences(colours=("red",))),
        look(inferred=Preferences(colours=("red",))),
    ):
        assert not (await match(asked, known.parts)).cached
    settings = parts.settings.model_copy(update={"text_weight": 0.9})
    assert not (await match(look(), replace(known.parts, settings=settings))).cached
    assert (await match(look(), known.parts)).cached


async def test_a_changed_product_invalidates_the_result(parts: MatchParts) -> None:
    known = Cached(parts)
    await match(look(), known.parts)
    entry = await parts.ledger.read("a:jeans")
    assert entry is not None
    sold_out = entry.update.model_copy(update={"stock": 0})
    await parts.ledger.write(entry.model_copy(update={"update": sold_out}))
    event = await match(look(), known.parts)
    assert not event.cached
    assert keys(layer(event, Department.BOTTOM)) == []


async def test_a_patched_product_is_served_from_the_cache_until_its_next_patch(
    parts: MatchParts,
) -> None:
    known = Cached(parts)
    entry = await parts.ledger.read("a:jeans")
    assert entry is not None
    await parts.ledger.write(entry.model_copy(update={"patched": {"price": 5}}))
    first = await match(look(), known.parts)
    (jeans,) = layer(first, Department.BOTTOM).products
    assert jeans.product.version == 5
    assert (await match(look(), known.parts)).cached
    await parts.ledger.write(entry.model_copy(update={"patched": {"price": 6}}))
    again = await match(look(), known.parts)
    assert not again.cached
    assert layer(again, Department.BOTTOM).products[0].product.version == 6


async def test_a_degraded_result_is_not_cached(parts: MatchParts) -> None:
    known = Cached(parts)
    asked = look(reference_images=(ImageReference(url="https://looks.example/no.jpg", data=None),))
    await match(asked, known.parts)
    assert known.cache.values == {}
