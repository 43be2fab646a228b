from collections.abc import Callable

import pytest

from evaluation.sandbox.look_report import look_report
from sandbox.life import Truth
from schemas.attributes import Department
from schemas.looks import LayerMatch, LookMatches
from schemas.records import Record
from tests.evaluation.perfect_run import Run, perfect_run


@pytest.fixture
def run(truth: Truth) -> Run:
    return perfect_run(truth)


def _layers(truth: Truth, kind: str) -> int:
    return sum(layer.kind == kind for look in truth.looks for layer in look.layers.values())


def _spoil(
    run: Run, change: Callable[[LayerMatch], LayerMatch | None], truth: Truth, kind: str
) -> None:
    """Change the first layer of that kind in every event; None takes it away."""
    for position, (record, look) in enumerate(zip(run.matches, truth.looks, strict=True)):
        event = LookMatches.model_validate_json(record.value)
        layers, done = [], False
        for match in event.layers:
            if not done and look.layers[match.layer.value].kind == kind:
                changed, done = change(match), True
                layers += [changed] if changed else []
            else:
                layers.append(match)
        event = event.model_copy(update={"layers": tuple(layers)})
        run.matches[position] = Record(record.key, event.model_dump_json().encode())


def test_a_perfect_run_has_perfect_figures(truth: Truth, run: Run) -> None:
    report = look_report(truth, run.matches)
    assert (report.requested, report.events, report.missing, report.duplicated) == (10, 10, 0, 0)
    assert (report.p50_ms, report.p95_ms) == (40.0, 40.0)
    figures = {name: found.value for name, found in report.quality.items()}
    near = figures.pop("near_attribute_agreement")
    assert near is not None
    assert 1 / 8 <= near < 1  # shown is any product of the department
    assert figures.pop("near_closest_first") is not None
    assert figures == {
        "exact_hit_at_1": 1.0,
        "exact_hit_at_10": 1.0,
        "exact_mrr": 1.0,
        "absent_abstained": 1.0,
        "layer_precision": 1.0,
        "layer_recall": 1.0,
        "exact_wrongly_abstained": 0.0,
        "near_abstained": 0.0,
        "false_matches_shown": 0.0,
    }
    assert report.quality["exact_mrr"].n == _layers(truth, "exact")
    assert report.quality["absent_abstained"].n == _layers(truth, "absent")


def test_departments_add_up_to_the_whole(truth: Truth, run: Run) -> None:
    report = look_report(truth, run.matches)
    for name, whole in report.quality.items():
        assert whole.n == sum(figures[name].n for figures in report.per_department.values())


def test_events_missing_duplicated_and_unexpected_are_counted(truth: Truth, run: Run) -> None:
    stranger = LookMatches.model_validate_json(run.matches[0].value).model_copy(
        update={"look_id": "stranger"}
    )
    records = [*run.matches[2:], run.matches[5], run.matches[5]]
    records.append(Record("stranger", stranger.model_dump_json().encode()))
    report = look_report(truth, records)
    assert (report.events, report.missing, report.duplicated, report.unexpected) == (11, 2, 2, 1)
    recall = report.quality["layer_recall"].value
    assert recall is not None
    assert recall < 1  # the layers of looks without an event count


def test_an_abstained_exact_layer_is_a_miss_and_a_wrong_abstention(truth: Truth, run: Run) -> None:
    _spoil(run, lambda m: m.model_copy(update={"abstained": "below-threshold"}), truth, "exact")
    report = look_report(truth, run.matches)
    spoiled = sum(any(x.kind == "exact" for x in look.layers.values()) for look in truth.looks)
    share = spoiled / _layers(truth, "exact")
    assert report.quality["exact_wrongly_abstained"].value == pytest.approx(share)
    assert report.quality["exact_hit_at_10"].value == pytest.approx(1 - share)
    assert report.quality["layer_recall"].value == 1.0


def test_a_layer_not_found_lowers_recall(truth: Truth, run: Run) -> None:
    _spoil(run, lambda match: None, truth, "near")
    report = look_report(truth, run.matches)
    spoiled = sum(any(x.kind == "near" for x in look.layers.values()) for look in truth.looks)
    worn = sum(len(look.layers) for look in truth.looks)
    assert report.quality["layer_recall"].value == pytest.approx(1 - spoiled / worn)
    assert report.quality["near_abstained"].value == pytest.approx(spoiled / _layers(truth, "near"))


def test_a_layer_not_worn_lowers_precision_and_is_a_false_match(truth: Truth, run: Run) -> None:
    event = LookMatches.model_validate_json(run.matches[0].value)
    shown = next(match for match in event.layers if match.products)
    phantom = shown.model_copy(update={"layer": Department.WATCH})
    event = event.model_copy(update={"layers": (*event.layers, phantom)})
    run.matches[0] = Record(event.look_id, event.model_dump_json().encode())
    report = look_report(truth, run.matches)
    worn = sum(len(look.layers) for look in truth.looks)
    assert report.quality["layer_precision"].value == pytest.approx(worn / (worn + 1))
    shown_layers = report.quality["false_matches_shown"].n
    assert report.quality["false_matches_shown"].value == pytest.approx(1 / shown_layers)


def test_a_total_is_preferred_to_the_sum_of_stages(truth: Truth, run: Run) -> None:
    event = LookMatches.model_validate_json(run.matches[0].value)
    event = event.model_copy(
        update={"timings_ms": {"total": 25.0, "describe": 20.0, "rerank": 20.0}}
    )
    report = look_report(truth, [Record(event.look_id, event.model_dump_json().encode())])
    assert report.p50_ms == 25.0
    assert report.stages_ms == {"total": 25.0, "describe": 20.0, "rerank": 20.0}
