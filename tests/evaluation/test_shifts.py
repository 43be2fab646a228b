"""The shift suite: what its shifts do to a look, and what its table says."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from evaluation.sandbox.look_report import JudgedLayer
from evaluation.sandbox.shift_report import shift_record, shift_results, shift_table
from evaluation.sandbox.shifts import SHIFTS, UNCHANGED, OriginalLook, Shift
from sandbox.life import Truth, World


def original(world: World, truth: Truth, shift: Shift, number: int = 0) -> OriginalLook:
    first, second = truth.looks[number], truth.looks[number + 1]
    pictures = [
        Image.open(world.look_pictures / one.picture_file).convert("RGB") for one in (first, second)
    ]
    return OriginalLook(first, pictures[0], pictures[1], random.Random(shift.name))


@pytest.mark.parametrize("shift", SHIFTS, ids=lambda shift: shift.name)
def test_a_shifted_look_is_a_picture_that_differs_from_the_original(
    shift: Shift, world: World, truth: Truth
) -> None:
    look = original(world, truth, shift)
    sent = Image.open(io.BytesIO(shift.apply(look).jpeg())).convert("RGB")
    again = Image.open(io.BytesIO(shift.apply(original(world, truth, shift)).jpeg()))
    assert np.array_equal(np.asarray(sent), np.asarray(again.convert("RGB")))
    if shift is UNCHANGED:
        assert sent.size == look.picture.size
    elif sent.size == look.picture.size:
        difference = np.abs(np.asarray(sent, float) - np.asarray(look.picture, float)).mean()
        assert difference > 1.5


def named(name: str) -> Shift:
    return next(shift for shift in SHIFTS if shift.name == name)


def test_layers_that_a_crop_removes_are_not_asked_for(world: World, truth: Truth) -> None:
    shift = named("upper three quarters")
    visible = shift.apply(original(world, truth, shift)).visible
    assert visible((0.2, 0.1, 0.8, 0.5))
    assert not visible((0.3, 0.9, 0.7, 1.0))


def test_the_person_asked_for_stands_on_the_left(world: World, truth: Truth) -> None:
    shift = named("one of two persons")
    look = original(world, truth, shift)
    shifted = shift.apply(look)
    assert shifted.picture.width == 2 * look.picture.width
    assert shifted.person is not None
    assert shifted.person.x1 < 0.5


def judged(hits: int, misses: int) -> list[JudgedLayer]:
    def one(number: int, hit: bool) -> JudgedLayer:
        return JudgedLayer(
            look_id=f"look-{number}",
            department="top",
            kind="exact",
            reported=True,
            ranked=("a:1" if hit else "a:2",),
            true=frozenset({"a:1"}),
            differences=None,
            same_item=None,
            same_kind=None,
            of_kind=True,
        )

    return [one(n, n < hits) for n in range(hits + misses)]


def test_the_table_compares_with_the_unchanged_looks() -> None:
    layers = {shift.name: judged(9, 1) for shift in SHIFTS} | {"mirrored": judged(5, 5)}
    results = shift_results(layers)
    by_name = {one.shift.name: one for one in results}
    assert by_name["noise"].met(unchanged=0.9)
    assert not by_name["mirrored"].met(unchanged=0.9)
    assert not by_name["unchanged"].met(unchanged=0.9), "its target is absolute"
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(shift_table(results))
    text = console.export_text()
    assert "worst: 0.500 (mirrored)" in text
    assert "0.556" in text
    assert shift_record(results)["mirrored"]["quality"]["exact_hit_at_1"]["value"] == 0.5
