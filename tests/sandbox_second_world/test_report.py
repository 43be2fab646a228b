"""The report counts what it says, on layers made by hand."""

from __future__ import annotations

import pytest
from rich.console import Console

from evaluation.sandbox.second_world_report import (
    OUTCOMES,
    SecondWorldLayer,
    second_world_report,
    second_world_tables,
)

RIGHT = (True, True, True)
WRONG = (False, False, False)


def layer(
    *ranked: str,
    department: str = "top",
    worn: str | None = "v:true",
    excluded: bool = False,
    reported: bool = True,
    agrees: tuple[bool, bool, bool] = WRONG,
) -> SecondWorldLayer:
    return SecondWorldLayer(
        look_id="a",
        department=department,
        worn=worn,
        excluded=excluded,
        near_duplicates=frozenset({"v:near", "v:near-2"}),
        reported=reported,
        overlap=0.6 if reported else 0.0,
        ranked=ranked,
        agrees=agrees,
    )


LAYERS = [
    layer("v:true", "v:near", agrees=RIGHT),
    layer("v:near", "v:true", agrees=RIGHT, department="bag"),
    layer("v:other", agrees=(True, False, True)),
    layer("v:other", agrees=(False, False, True)),
    layer(),
    layer(reported=False, department="watch"),
    layer("v:near", excluded=True, agrees=RIGHT),
    layer("v:near", "v:true", excluded=True, agrees=RIGHT),
    layer("v:other", worn=None, department="scarf"),
]


@pytest.mark.parametrize(
    ("figure", "value", "layers"),
    [
        ("attribute_hit_at_1", 2 / 6, 6),
        ("instance_hit_at_1", 1 / 6, 6),
        ("instance_hit_at_10", 2 / 6, 6),
        ("near_duplicate_first", 1 / 6, 6),
        ("layers_found", 7 / 8, 8),
        ("layers_shown", 6 / 8, 8),
        ("layer_precision", 7 / 8, 8),
        ("excluded_answered", 2 / 2, 2),
        ("excluded_shown", 1 / 2, 2),
    ],
)
def test_each_figure_counts_its_layers(figure: str, value: float, layers: int) -> None:
    found = second_world_report(LAYERS, {"top", "bag"}).groups["all"][figure]
    assert found.value == pytest.approx(value)
    assert found.n == layers


def test_layers_are_grouped() -> None:
    groups = second_world_report(LAYERS, {"top", "bag"}).groups
    assert set(groups) == {"all", "trained departments", "bag", "top", "watch"}
    assert groups["trained departments"]["layers_found"].n == 7
    assert groups["watch"]["layers_found"].value == 0


def test_each_layer_that_may_be_shown_ends_in_one_way() -> None:
    outcomes = second_world_report(LAYERS, ()).outcomes["all"]
    assert tuple(outcomes) == OUTCOMES
    assert {name: share for name, share in outcomes.items() if share} == {
        name: pytest.approx(1 / 6)
        for name in (
            "not found",
            "nothing shown",
            "several attributes wrong",
            "colour wrong",
            "right attributes, other style",
            "the very style",
        )
    }


def test_a_region_elsewhere_is_no_colour_error() -> None:
    away = SecondWorldLayer(
        "a", "top", "v:true", False, frozenset(), True, 0.1, ("v:other",), (True, False, True)
    )
    assert away.outcome == "found elsewhere"


def test_the_tables_show_each_road() -> None:
    report = second_world_report(LAYERS, {"top"})
    console = Console(width=80)
    with console.capture() as capture:
        console.print(second_world_tables({"tagger": report, "model": report}))
    text = capture.get()
    assert "Second world, tagger" in text
    assert "Second world, model" in text
    assert "right attributes, other style" in text
    assert "…" not in text
