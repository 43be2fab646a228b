"""Which judged pairs count, how many are needed, and what is fitted to them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.jobs.judged_pairs import (
    FEWEST_PICTURES,
    PER_FEATURE,
    Pair,
    fit,
    hold_out,
    require_enough,
    settle,
)
from operators.matching.calibration import Calibration
from schemas.errors import Misconfigured
from schemas.judgements import Verdict

VERDICTS: list[Verdict] = ["same", "similar", "other"]


def pair(
    line: int = 1, verdict: Verdict = "same", picture: str = "p0", product: str = "elm:1"
) -> Pair:
    return Pair(picture, ("", "", "top", product), line, verdict, {"margin": 0.5})


def judged(pictures: int, seed: int = 1) -> list[Pair]:
    """Nine products of each picture; the item has the highest margin, most of the time."""
    chance = random.Random(seed)
    margins = {"same": 0.2, "similar": 0.0, "other": -0.2}
    return [
        Pair(
            f"p{number}",
            ("", "", "top", f"elm:{product}"),
            9 * number + product,
            verdict := VERDICTS[product % 3],
            {"margin": margins[verdict] + chance.gauss(0, 0.15), "text": chance.random()},
        )
        for number in range(pictures)
        for product in range(9)
    ]


def test_a_pair_that_is_judged_twice_alike_counts_once() -> None:
    settled, unused = settle([pair(3), pair(1), pair(2, product="elm:2")])
    assert [one.line for one in settled] == [1, 2]
    assert [(one.line, one.reason) for one in unused] == [(3, "repeated")]


def test_a_pair_that_is_judged_differently_does_not_count() -> None:
    settled, unused = settle([pair(1), pair(2, "other"), pair(3), pair(4, product="elm:2")])
    assert [one.line for one in settled] == [4]
    assert {(one.line, one.reason) for one in unused} == {
        (number, "contradictory") for number in (1, 2, 3)
    }
    assert "other and same" in unused[0].detail


def test_other_pictures_and_markets_are_other_pairs() -> None:
    there = replace(pair(2, "other"), place=("DE", "", "top", "elm:1"))
    settled, unused = settle([pair(1), there, pair(3, "similar", picture="p1")])
    assert len(settled) == 3
    assert unused == []


@given(
    said=st.lists(
        st.tuples(
            st.sampled_from(VERDICTS), st.sampled_from("ab"), st.sampled_from(["elm:1", "elm:2"])
        )
    ),
    seed=st.integers(),
)
def test_neither_order_nor_repetition_decides_what_counts(
    said: list[tuple[Verdict, str, str]], seed: int
) -> None:
    def counted(lines: list[tuple[Verdict, str, str]]) -> list[tuple[str, str, Verdict]]:
        pairs = [pair(number, *one) for number, one in enumerate(lines, start=1)]
        settled, unused = settle(pairs)
        assert len(settled) + len(unused) == len(lines)
        return [(one.picture, one.place[-1], one.verdict) for one in settled]

    assert counted(random.Random(seed).sample(said, len(said))) == counted(said)
    assert counted(said + said) == counted(said)


def test_enough_is_thirty_pictures_and_five_pairs_of_each_label_for_each_weight() -> None:
    enough = judged(FEWEST_PICTURES)
    require_enough(enough)
    with pytest.raises(Misconfigured, match="29 pictures; 30 pictures are needed"):
        require_enough([one for one in enough if one.picture != "p7"])
    needed = PER_FEATURE * len(enough[0].features)
    same = [one for one in enough if one.verdict == "same"]
    others = [one for one in enough if one.verdict != "same"]
    require_enough([*others, *same[:needed]])
    with pytest.raises(Misconfigured, match="9 of the very item"):
        require_enough([*others, *same[: needed - 1]])
    kind = [one for one in enough if one.verdict != "other"]
    with pytest.raises(Misconfigured, match="0 of another kind"):
        require_enough(kind)
    with pytest.raises(Misconfigured, match="0 pairs"):
        require_enough([])


def test_the_fit_says_what_it_was_fitted_to() -> None:
    pairs = judged(40)
    fitted = fit(Calibration(), pairs, by_model=True)
    assert fitted.source(by_model=True) == "judged"
    assert fitted.source(by_model=False) == "uncalibrated"
    assert str(fitted.origin_described).startswith("judged looks, 360 pairs of 40 pictures, 20")
    close, far = (
        fitted.confidence({"margin": margin, "text": 0.5}, by_model=True) for margin in (0.3, -0.3)
    )
    assert close > 0.7
    assert far < 0.1


@given(seed=st.integers())
def test_the_order_of_lines_does_not_change_the_fit(seed: int) -> None:
    pairs = judged(30)
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    one, other = (
        fit(Calibration(), settle(lines)[0], by_model=False) for lines in (pairs, shuffled)
    )
    assert (one.same_item, one.same_kind) == (other.same_item, other.same_kind)


def test_every_pair_is_held_out_with_all_of_its_picture() -> None:
    """Held-out fits cannot tell apart pairs whose label depends only on the picture."""
    chance = random.Random(3)
    pairs = []
    for number in range(60):
        verdict: Verdict = chance.choice(["same", "other"])
        features = {f"is p{number}": 1.0, "margin": 0.0}
        pairs += [
            Pair(f"p{number}", ("", "", "top", f"elm:{one}"), 10 * number + one, verdict, features)
            for one in range(10)
        ]
    held = hold_out(Calibration(), pairs, by_model=False)
    assert len(held) == len(pairs)
    true = [one.item for one in held if one.is_item]
    false = [one.item for one in held if not one.is_item]
    assert abs(sum(true) / len(true) - sum(false) / len(false)) < 0.15
    seen = fit(Calibration(), pairs, by_model=False)
    known = [
        seen.confidence(one.features, by_model=False) for one in pairs if one.verdict == "same"
    ]
    assert sum(known) / len(known) > 0.75


def test_labels_of_one_fold_only_cannot_be_held_out() -> None:
    lone = [replace(one, verdict="other") for one in judged(30) if one.picture != "p0"]
    pairs = [*lone, *(pair(n, picture="p0", product=f"elm:{n}") for n in range(9))]
    with pytest.raises(Misconfigured, match="judge more looks"):
        hold_out(Calibration(), pairs, by_model=False)
