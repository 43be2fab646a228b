"""A layer's three outcomes: the very item, the closest of its kind, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operators.matching.calibration import Calibration, Logistic, Origin
from operators.matching.parts import MatchParts
from schemas.attributes import Department
from schemas.looks import LayerMatch
from tests.matching.example_looks import CALIBRATION, TOP_ONLY, keys, layer, look, match
from tests.matching.scripted_model import ScriptedModel

ALL_OF_KIND = Logistic(bias=5, weights={})
SHIRTS_ONLY = Logistic(bias=5, weights={"category_gap": -1000})


async def top(parts: MatchParts, **calibration: object) -> LayerMatch:
    fitted = CALIBRATION.model_copy(update=calibration)
    return layer(await match(look(), replace(parts, calibration=fitted)), Department.TOP)


async def test_the_very_item_is_exact_and_others_of_its_kind_are_similar(
    parts: MatchParts,
) -> None:
    found = await top(parts, same_kind=ALL_OF_KIND)
    assert found.outcome == "exact"
    assert [one.outcome for one in found.products] == ["exact", "similar", "similar"]
    assert found.abstained is None
    for one in found.products:
        assert one.same_item is not None
        assert one.same_kind is not None
        assert one.same_item <= one.same_kind
    assert found.confidence == found.products[0].same_item
    assert found.kind_confidence == max(one.same_kind or 0 for one in found.products)


async def test_the_closest_of_its_kind_is_shown_as_similar(parts: MatchParts) -> None:
    never = Logistic(bias=-50, weights={})
    found = await top(parts, same_item=never, same_kind=ALL_OF_KIND)
    assert found.outcome == "similar"
    assert keys(found)[0] == "a:shirt"


async def test_products_of_another_kind_are_not_shown(parts: MatchParts) -> None:
    # So that only the kind decides: being the very item includes being of its kind.
    never = Logistic(bias=-50, weights={})
    found = await top(parts, same_item=never, same_kind=SHIRTS_ONLY)
    assert keys(found) == ["a:shirt"]


async def test_nothing_is_shown_when_nothing_is_of_the_kind(parts: MatchParts) -> None:
    never = Logistic(bias=-50, weights={})
    found = await top(parts, same_item=never, same_kind=never)
    assert (found.outcome, found.abstained, found.products) == ("none", "below-threshold", ())
    assert found.kind_confidence is not None
    assert found.kind_confidence < 0.01


async def test_an_uncalibrated_encoder_shows_its_nearest_products_without_probabilities(
    parts: MatchParts,
) -> None:
    guesses = CALIBRATION.model_copy(update={"same_item": Calibration().same_item})
    event = await match(look(), replace(parts, calibration=guesses))
    found = layer(event, Department.TOP)
    assert event.models["calibration"] == "uncalibrated"
    assert len(found.products) == 3
    assert {(one.outcome, one.same_item, one.same_kind) for one in found.products} == {
        ("similar", None, None)
    }
    assert (found.outcome, found.confidence, found.kind_confidence) == ("similar", 0, None)


@pytest.mark.parametrize(
    ("origin", "named"),
    [(None, "shipped"), (Origin(source="catalog"), "catalog"), (Origin(source="judged"), "judged")],
)
async def test_an_event_says_where_its_probabilities_come_from(
    parts: MatchParts, origin: Origin | None, named: str
) -> None:
    fitted = CALIBRATION.model_copy(update={"origin": origin})
    event = await match(look(), replace(parts, calibration=fitted))
    assert event.models["calibration"] == named


async def test_without_a_fit_for_the_describer_in_force_there_are_no_probabilities(
    parts: MatchParts,
) -> None:
    described = CALIBRATION.model_copy(
        update={"same_item": None, "same_item_described": CALIBRATION.same_item}
    )
    parts = replace(parts, calibration=described)
    by_tagger = await match(look(), parts)
    assert by_tagger.models["calibration"] == "uncalibrated"
    assert {one.same_item for one in layer(by_tagger, Department.TOP).products} == {None}
    by_model = await match(look(), replace(parts, vlm=ScriptedModel(TOP_ONLY, {})))
    assert by_model.models["calibration"] == "shipped"
    assert None not in {one.same_item for one in layer(by_model, Department.TOP).products}
