"""A look from picture to products, through the public door."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest

from operators.matching.parts import MatchParts
from operators.ports import Candidate, Filters, Vector
from schemas.attributes import Department, Gender
from schemas.errors import ImageRefused, Unavailable
from schemas.ids import matched_event_id
from schemas.looks import ImageReference, Preferences
from schemas.money import Money
from tests.doubles import (
    InMemoryIndex,
    StoredPictures,
)
from tests.matching.example_looks import (
    URL,
    keys,
    layer,
    lenient,
    look,
    match,
)
from tests.matching.painted import BOOTS, SUNDRESS, Facts, add_product, painting


async def test_each_layer_gets_its_products(parts: MatchParts) -> None:
    event = await match(look(user_id="user-1", market="IN"), parts)
    assert event.event_id == matched_event_id("look-1")
    assert (event.user_id, event.market) == ("user-1", "IN")
    assert (event.refused, event.degraded, event.cached) == (None, (), False)
    assert [m.layer for m in event.layers] == [
        Department.TOP,
        Department.BOTTOM,
        Department.FOOTWEAR,
    ]
    top = layer(event, Department.TOP)
    assert top.query == "red striped shirt with white stripes"
    assert keys(top)[0] == "a:shirt"
    assert [found.rank for found in top.products] == [1, 2, 3]
    assert sorted((found.score for found in top.products), reverse=True) == [
        found.score for found in top.products
    ]
    assert top.region is not None
    assert top.confidence > 0.5
    assert keys(layer(event, Department.BOTTOM)) == ["a:jeans"]
    stages = {"fetch", "segment", "regions", "describe", "vectorize", "retrieve", "rerank", "total"}
    assert stages <= event.timings_ms.keys()
    assert event.models == {"encoder": "paint", "calibration": "shipped"}


async def test_only_inferred_preferences_are_relaxed(parts: MatchParts) -> None:
    asked = look(
        preferences=Preferences(excluded_brands=("nima",)),
        inferred=Preferences(colours=("red",)),
    )
    await add_product(
        parts.index,
        parts.ledger,
        "b:t-shirt",
        "blue top striped t-shirt white stripes",
        Facts(brand="Rua"),
    )
    event = await match(asked, replace(parts, settings=lenient(parts)))
    assert keys(layer(event, Department.TOP)) == ["b:t-shirt"]
    assert layer(event, Department.TOP).relaxed == ("colours",)
    bottom = layer(event, Department.BOTTOM)
    assert (bottom.abstained, bottom.confidence) == ("nothing-found", 0)


@pytest.mark.parametrize(
    "wish",
    [
        {"preferences": Preferences(max_price=Money(amount_minor=999, currency="INR"))},
        {"preferences": Preferences(max_price=Money(amount_minor=1000, currency="USD"))},
        {"preferences": Preferences(sizes={Department.TOP: ("ALPHA:XL",)})},
        {"preferences": Preferences(colours=("green",))},
        {"gender": Gender.MALE},
        {"market": "JP"},
    ],
)
async def test_nothing_is_shown_that_violates_an_explicit_preference(
    parts: MatchParts, wish: dict[str, Any]
) -> None:
    event = await match(look(**wish), parts)
    assert layer(event, Department.TOP).products == ()
    assert layer(event, Department.TOP).abstained == "nothing-found"


async def test_the_ledger_overrules_the_index(parts: MatchParts) -> None:
    """The index lags behind: it still has products that are sold out or deleted."""
    entry = await parts.ledger.read("a:shirt")
    assert entry is not None
    sold_out = entry.update.model_copy(update={"stock": 0})
    await parts.ledger.write(entry.model_copy(update={"update": sold_out}))
    entry = await parts.ledger.read("a:blouse")
    assert entry is not None
    await parts.ledger.write(entry.model_copy(update={"deleted_version": 2}))
    event = await match(look(), replace(parts, settings=lenient(parts)))
    assert keys(layer(event, Department.TOP)) == ["a:t-shirt"]


async def test_variants_are_folded_and_the_list_is_refilled(parts: MatchParts) -> None:
    for number in range(30):
        await add_product(
            parts.index,
            parts.ledger,
            f"c:{number:02d}",
            "red top striped shirt white stripes",
            Facts(style="c:one-style"),
        )
    for number, word in enumerate(("pink", "grey", "black", "navy")):
        await add_product(
            parts.index, parts.ledger, f"d:{number}", f"{word} top dotted sweater white dots"
        )
    settings = parts.settings.model_copy(
        update={"products_per_layer": 6, "over_fetch": 1, "abstain_below": 0.0}
    )
    top = layer(await match(look(), replace(parts, settings=settings)), Department.TOP)
    assert len(top.products) == 6
    assert sum(key.startswith("c:") or key == "a:shirt" for key in keys(top)) == 1
    assert top.folded == 30


async def test_a_layer_without_a_likely_product_abstains(parts: MatchParts) -> None:
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.index.delete(key)
    await add_product(parts.index, parts.ledger, "a:tank", "grey top solid tank")
    top = layer(await match(look(), parts), Department.TOP)
    assert (top.products, top.abstained) == ((), "below-threshold")
    assert top.query == "red striped shirt with white stripes"
    assert top.confidence < 0.5


async def test_a_layer_is_shown_at_the_threshold_and_not_below_it(parts: MatchParts) -> None:
    exactly = layer(await match(look(), parts), Department.TOP).confidence

    async def shown(threshold: float) -> bool:
        settings = parts.settings.model_copy(update={"abstain_below": threshold})
        return bool(
            layer(await match(look(), replace(parts, settings=settings)), Department.TOP).products
        )

    assert await shown(exactly)
    assert not await shown(math.nextafter(exactly, 2))


async def test_only_preferred_layers_are_matched(parts: MatchParts) -> None:
    event = await match(look(preferences=Preferences(departments=(Department.TOP,))), parts)
    assert [m.layer for m in event.layers] == [Department.TOP]


@pytest.mark.parametrize(
    ("inferred", "matched"),
    [
        ((Department.TOP, Department.WATCH), [Department.TOP]),
        ((Department.WATCH,), [Department.TOP, Department.BOTTOM, Department.FOOTWEAR]),
    ],
)
async def test_inferred_layers_are_the_only_ones_matched_unless_none_is_worn(
    parts: MatchParts, inferred: tuple[Department, ...], matched: list[Department]
) -> None:
    event = await match(look(inferred=Preferences(departments=inferred)), parts)
    assert [m.layer for m in event.layers] == matched


async def test_similarity_is_the_cosine_with_the_query_and_score_adds_shared_attributes(
    parts: MatchParts,
) -> None:
    weight = {"queries": "text", "attribute_weight": 0.1}
    settings = lenient(parts).model_copy(update=weight)
    top = layer(await match(look(), replace(parts, settings=settings)), Department.TOP)
    query = await parts.encoder.encode_text(top.query)
    shirt = await parts.index.get("a:shirt")
    assert shirt is not None
    assert top.products[0].product.key == "a:shirt"
    assert top.products[0].similarity == pytest.approx(float(query @ shirt.vector))
    # Category, colour and pattern agree.
    assert top.products[0].score == pytest.approx(top.products[0].similarity + 3 * 0.1)


async def test_a_picture_that_is_refused_ends_with_the_reason(parts: MatchParts) -> None:
    event = await match(look(url="https://looks.example/none.jpg"), parts)
    assert (event.refused, event.layers) == ("not-found", ())
    assert event.event_id == matched_event_id("look-1")


async def test_a_picture_without_garments_is_refused(parts: MatchParts) -> None:
    parts = replace(parts, pictures=StoredPictures({URL: painting()}))
    event = await match(look(), parts)
    assert (event.refused, event.layers) == ("no-garment-found", ())


async def test_a_reference_picture_that_fails_is_only_a_degradation(parts: MatchParts) -> None:
    asked = look(reference_images=(ImageReference(url="https://looks.example/no.jpg", data=None),))
    event = await match(asked, parts)
    assert event.degraded == ("reference:not-found",)
    assert keys(layer(event, Department.TOP))[0] == "a:shirt"


async def test_an_outage_is_raised(parts: MatchParts) -> None:
    gone = StoredPictures({URL: Unavailable("the host does not answer")})
    with pytest.raises(Unavailable):
        await match(look(), replace(parts, pictures=gone))

    class DownIndex(InMemoryIndex):
        async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
            raise Unavailable("the index is restarting")

    before = asyncio.all_tasks()
    with pytest.raises(Unavailable):
        await match(look(), replace(parts, index=DownIndex()))
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("queries", ["text", "region", "fused"])
async def test_every_kind_of_query_finds_the_item(parts: MatchParts, queries: str) -> None:
    settings = parts.settings.model_copy(update={"queries": queries})
    event = await match(look(), replace(parts, settings=settings))
    assert keys(layer(event, Department.TOP))[0] == "a:shirt"


async def test_a_dress_over_boots(parts: MatchParts) -> None:
    picture = painting((SUNDRESS, (20, 20, 60, 100)), (BOOTS, (20, 100, 60, 118)))
    event = await match(look(), replace(parts, pictures=StoredPictures({URL: picture})))
    assert [m.layer for m in event.layers] == [Department.DRESS, Department.FOOTWEAR]
    assert layer(event, Department.DRESS).abstained == "nothing-found"


async def test_a_refused_picture_is_not_an_outage(parts: MatchParts) -> None:
    refused = StoredPictures({URL: ImageRefused("a bomb", reason="too-large")})
    assert (await match(look(), replace(parts, pictures=refused))).refused == "too-large"
