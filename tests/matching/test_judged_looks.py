"""Judged looks are ranked as the look flow ranks them, and every line is a pair or has a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dataflows.jobs.calibrate_judged import judge_looks
from dataflows.jobs.judged_pairs import Pair
from dataflows.jobs.judgement_file import Context, Judged, JudgementFile, Unused
from operators.matching.calibration import Calibration
from operators.matching.parts import MatchParts
from schemas.attributes import Department
from schemas.errors import Unavailable
from schemas.judgements import Verdict
from tests.doubles import StoredPictures
from tests.matching.example_looks import TOP_ONLY, URL, keys, layer, look, match
from tests.matching.painted import outfit
from tests.matching.scripted_model import ScriptedModel

TOP, FOOTWEAR, DRESS = Department.TOP, Department.FOOTWEAR, Department.DRESS


async def judge(
    parts: MatchParts,
    *said: tuple[Department, str, Verdict],
    picture: str = URL,
    market: str | None = None,
) -> tuple[list[Pair], list[Unused]]:
    lines = [Judged(number, *one) for number, one in enumerate(said, start=1)]
    return await judge_looks(
        JudgementFile({Context(picture, market, None): lines}, []), parts, max_bytes=1_000_000
    )


def reasons(unused: Sequence[Unused]) -> dict[int, str]:
    return {one.line: one.reason for one in unused}


@pytest.mark.parametrize("calibrated", [True, False])
async def test_a_judged_product_has_the_features_of_its_place(
    parts: MatchParts, calibrated: bool
) -> None:
    if not calibrated:
        parts = replace(parts, calibration=Calibration(patch_scale=20))
    pairs, unused = await judge(
        parts,
        (TOP, "a:t-shirt", "similar"),
        (TOP, "a:shirt", "same"),
        (FOOTWEAR, "a:boots", "same"),
    )
    assert unused == []
    t_shirt, shirt, boots = pairs
    assert (shirt.features["first"], t_shirt.features["first"]) == (1.0, 0.0)
    assert shirt.features["margin"] > 0 > t_shirt.features["margin"]
    assert (shirt.product.same_item, shirt.product.same_kind) == (True, True)
    assert (t_shirt.product.same_item, t_shirt.product.same_kind) == (False, True)
    assert boots.place == ("", "", "footwear", "a:boots")
    assert boots.picture == shirt.picture


async def test_nothing_is_left_out_for_a_low_probability(parts: MatchParts) -> None:
    strict = parts.settings.model_copy(update={"abstain_below": 1.0, "list_from": 1.0})
    shown = layer(await match(look(), parts), TOP)
    pairs, _ = await judge(
        replace(parts, settings=strict), *((TOP, key, "other") for key in keys(shown))
    )
    assert [one.place[-1] for one in pairs] == keys(shown)
    assert len(pairs) == 3


async def test_lines_that_are_no_pair_have_a_reason(parts: MatchParts) -> None:
    pairs, unused = await judge(
        parts,
        (TOP, "a:shirt", "same"),
        (TOP, "a:gone", "same"),
        (DRESS, "a:shirt", "same"),
        (TOP, "a:boots", "other"),
    )
    assert [one.line for one in pairs] == [1]
    assert reasons(unused) == {2: "unknown-product", 3: "layer-not-found", 4: "not-ranked"}


async def test_a_product_that_the_market_excludes_is_not_ranked(parts: MatchParts) -> None:
    pairs, unused = await judge(parts, (TOP, "a:shirt", "same"), market="JP")
    assert (pairs, reasons(unused)) == ([], {1: "not-ranked"})
    pairs, unused = await judge(parts, (TOP, "a:shirt", "same"), market="IN")
    assert ([one.place[0] for one in pairs], unused) == (["IN"], [])


async def test_a_picture_that_cannot_be_read_costs_its_lines(
    parts: MatchParts, tmp_path: Path
) -> None:
    parts = replace(parts, pictures=StoredPictures({}))
    for picture in (str(tmp_path / "missing.jpg"), str(tmp_path), "a\0b", URL):
        pairs, unused = await judge(
            parts, (TOP, "a:shirt", "same"), (TOP, "a:gone", "same"), picture=picture
        )
        assert pairs == []
        assert reasons(unused) == {1: "unreadable-picture", 2: "unknown-product"}


async def test_a_picture_of_nobody_knows_no_layer(parts: MatchParts) -> None:
    pairs, unused = await judge(
        replace(parts, pictures=StoredPictures({URL: outfit().point(lambda _: 255)})),
        (TOP, "a:shirt", "same"),
    )
    assert (pairs, reasons(unused)) == ([], {1: "layer-not-found"})


async def test_the_describer_in_force_describes(parts: MatchParts) -> None:
    vlm = ScriptedModel(TOP_ONLY, {})
    pairs, unused = await judge(
        replace(parts, vlm=vlm), (TOP, "a:t-shirt", "same"), (FOOTWEAR, "a:boots", "same")
    )
    by_tagger, _ = await judge(parts, (TOP, "a:t-shirt", "same"))
    assert pairs[0].features["text"] > by_tagger[0].features["text"]
    assert reasons(unused) == {2: "layer-not-found"}


async def test_what_the_tagger_said_in_the_models_place_is_not_the_models(
    parts: MatchParts,
) -> None:
    away = ScriptedModel(Unavailable("the model is away"))
    pairs, unused = await judge(replace(parts, vlm=away), (TOP, "a:shirt", "same"))
    assert (pairs, reasons(unused)) == ([], {1: "not-described"})


async def test_without_an_index_there_is_no_answer(
    parts: MatchParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the index is away")

    monkeypatch.setattr(parts.index, "search", away)
    with pytest.raises(Unavailable):
        await judge(parts, (TOP, "a:shirt", "same"))
