"""Looks described and products judged by a vision-language model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operators.matching.calibration import Logistic
from operators.matching.parts import MatchParts
from operators.ports import LayerDescription
from schemas.attributes import Department
from schemas.rerank import RerankMethod
from tests.matching.example_looks import (
    CALIBRATION,
    TOP_ONLY,
    keys,
    layer,
    lenient,
    look,
    match,
)
from tests.matching.painted import add_product, painting
from tests.matching.scripted_model import ScriptedModel


async def test_the_language_model_names_the_layers_and_orders_the_products(
    parts: MatchParts,
) -> None:
    for number, key in enumerate(("a:shirt", "a:blouse", "a:t-shirt")):
        await parts.thumbnails.put(key, painting(size=(20 + number, 20)))
    pictures = [await parts.thumbnails.get(key) for key in ("a:shirt", "a:blouse", "a:t-shirt")]
    shirt, blouse, t_shirt = [picture or b"" for picture in pictures]
    vlm = ScriptedModel(TOP_ONLY, {shirt: 0.1, blouse: None, t_shirt: 0.9})
    alone = lenient(parts).model_copy(update={"rerank_weight": 1.0})
    event = await match(look(), replace(parts, vlm=vlm, settings=alone))
    assert event.degraded == ()
    assert event.models["vlm"] == "scripted"
    assert [m.layer for m in event.layers] == [Department.TOP]
    assert event.layers[0].query == "a blue striped t-shirt"
    assert keys(event.layers[0]) == ["a:t-shirt", "a:blouse", "a:shirt"]


async def test_products_that_the_model_need_not_judge_follow_in_their_order(
    parts: MatchParts,
) -> None:
    by_likeness = layer(await match(look(), parts), Department.TOP)
    for key in keys(by_likeness):
        await parts.thumbnails.put(key, painting(size=(20, 20)))
    settings = lenient(parts).model_copy(update={"rerank_candidates": 1, "rerank_weight": 1.0})
    picture = await parts.thumbnails.get(keys(by_likeness)[0]) or b""
    vlm = ScriptedModel(TOP_ONLY, {picture: 0.1})
    event = await match(look(), replace(parts, vlm=vlm, settings=settings))
    scores = [product.score for product in event.layers[0].products]
    assert scores == [0.1] * len(keys(by_likeness))


async def test_the_confidence_depends_on_what_described_the_layer(parts: MatchParts) -> None:
    never = CALIBRATION.model_copy(update={"same_item_described": Logistic(bias=-50, weights={})})
    parts = replace(parts, calibration=never)
    by_tagger = layer(await match(look(), parts), Department.TOP)
    by_model = layer(
        await match(look(), replace(parts, vlm=ScriptedModel(TOP_ONLY, {}))), Department.TOP
    )
    assert by_tagger.products
    assert (by_model.abstained, by_model.products) == ("below-threshold", ())


@pytest.mark.parametrize("method", [RerankMethod.NONE, RerankMethod.SIMILARITY])
async def test_methods_without_a_model_do_not_call_it(
    parts: MatchParts, method: RerankMethod
) -> None:
    vlm = ScriptedModel(TOP_ONLY, AssertionError("asked"))
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.thumbnails.put(key, painting(size=(20, 20)))
    settings = lenient(parts).model_copy(update={"rerank": method})
    event = await match(look(), replace(parts, vlm=vlm, settings=settings))
    assert event.degraded == ()
    assert sorted(keys(event.layers[0])) == ["a:blouse", "a:shirt", "a:t-shirt"]


async def test_a_layer_may_have_a_method_of_its_own(parts: MatchParts) -> None:
    vlm = ScriptedModel(TOP_ONLY, AssertionError("asked"))
    await parts.thumbnails.put("a:shirt", painting(size=(20, 20)))
    own = {"rerank_layers": {Department.TOP: RerankMethod.SIMILARITY}}
    settings = lenient(parts).model_copy(update=own)
    event = await match(look(), replace(parts, vlm=vlm, settings=settings))
    assert event.degraded == ()


async def test_a_layer_that_was_not_located_is_searched_by_its_text(
    parts: MatchParts,
) -> None:
    said = {Department.DRESS: LayerDescription("green floral sundress", {})}
    await add_product(
        parts.index, parts.ledger, "a:dress", "green dress floral sundress yellow flowers"
    )
    vlm = ScriptedModel(said, {})
    event = await match(look(), replace(parts, vlm=vlm, settings=lenient(parts)))
    dress = layer(event, Department.DRESS)
    assert (dress.region, keys(dress)) == (None, ["a:dress"])
