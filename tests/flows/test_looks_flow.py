"""The look flow's output for each kind of record."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest

from dataflows import looks
from dataflows.runtime import FlowRuntime
from operators.budget import Budget
from operators.served_calls import ServedCalls
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.files.replay import replay
from schemas.errors import (
    DeadlineExceeded,
    ImageRefused,
    LookSyncError,
    Misconfigured,
    PictureUnavailable,
    Unavailable,
)
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches
from schemas.records import Record
from tests.flows import flow_process
from tests.flows.flow_process import topic
from tests.flows.in_process import (
    events,
    letters,
    look,
    matched,
    run_looks,
)


@pytest.mark.parametrize(
    "error",
    [
        ImageRefused("a bomb", reason="too-large"),
        PictureUnavailable("host is down", reason="connection"),
        DeadlineExceeded("late", reason="deadline"),
    ],
)
def test_a_look_that_cannot_be_matched_gets_an_event_that_says_so(
    tmp_path: Path, error: Exception
) -> None:
    async def match(look: Look, budget: Budget) -> LookMatches:
        raise error

    topic(tmp_path, "looks.generated").append([look("look-1")])

    assert run_looks(tmp_path, match) == 0

    event = events(tmp_path)["look-1"]
    assert event.refused == error.reason  # type: ignore[attr-defined]
    assert (event.user_id, event.event_id) == ("u1", matched_event_id("look-1"))
    assert letters(tmp_path, "looks.generated") == []


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("the index answered 500", reason="weaviate"),
        Misconfigured("the index answered 403; set index.api_key", reason="weaviate-refused"),
    ],
)
def test_a_look_that_a_server_refuses_while_it_answers_others_is_told_in_its_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: LookSyncError
) -> None:
    quick = partial(CallPolicy, first_pause_seconds=0.001, longest_pause_seconds=0.001)
    monkeypatch.setattr(looks, "CallPolicy", quick)
    server = ServedCalls()

    async def match(look: Look, budget: Budget) -> LookMatches:
        server.count("search")
        with server.call("search"):
            if look.look_id == "look-3":
                raise error
            return await matched(look, budget)

    topic(tmp_path, "looks.generated").append(look(f"look-{number}") for number in range(20))

    assert run_looks(tmp_path, match) == 0

    found = events(tmp_path)
    assert len(found) == 20
    assert {name: event.refused for name, event in found.items() if event.refused} == {
        "look-3": error.reason
    }
    assert letters(tmp_path, "looks.generated") == []


def test_a_repeated_look_is_dropped(tmp_path: Path) -> None:
    topic(tmp_path, "looks.generated").append([look("a"), look("b"), look("a")])
    runtimes: list[FlowRuntime] = []

    assert run_looks(tmp_path, matched, runtimes) == 0

    assert set(events(tmp_path)) == {"a", "b"}
    value = runtimes[0].metrics.registry.get_sample_value
    assert value("looksync_looks_repeated_total") == 1
    assert value("looksync_look_degradations_total", {"degradation": "describe:deadline"}) == 2
    stage = {"flow": "looks", "stage": "describe"}
    assert value("looksync_stage_seconds_sum", stage) == pytest.approx(2 * 0.012)


def test_a_look_that_met_a_bug_can_be_replayed(tmp_path: Path) -> None:
    """The first record holds the claim: the replay continues under its name."""

    async def broken(look: Look, budget: Budget) -> LookMatches:
        raise ZeroDivisionError("a bug")

    generated = topic(tmp_path, "looks.generated")
    generated.append([look("a")])
    assert run_looks(tmp_path, broken) == 0
    assert events(tmp_path) == {}

    replay(topic(tmp_path, "looks.generated.dlq"), generated)
    assert run_looks(tmp_path, matched) == 0

    assert set(events(tmp_path)) == {"a"}


def test_an_event_that_breaks_its_own_schema_is_a_dead_letter(tmp_path: Path) -> None:
    async def match(look: Look, budget: Budget) -> LookMatches:
        event = await matched(look, budget)
        broken = {"timings_ms": {"describe": math.nan}}
        return event.model_copy(update=broken) if look.look_id == "broken" else event

    topic(tmp_path, "looks.generated").append([look("broken"), look("sound")])

    assert run_looks(tmp_path, match) == 0

    assert set(events(tmp_path)) == {"sound"}
    (stored,) = letters(tmp_path, "looks.generated")
    assert "timings_ms" in stored.letter.message


def test_a_refusal_that_cannot_be_told_in_an_event_is_a_dead_letter(tmp_path: Path) -> None:
    async def match(look: Look, budget: Budget) -> LookMatches:
        if look.look_id == "broken":
            raise ImageRefused("an address with half an emoji", reason="\ud83d")
        return await matched(look, budget)

    topic(tmp_path, "looks.generated").append([look("broken"), look("sound")])

    assert run_looks(tmp_path, match) == 0

    assert set(events(tmp_path)) == {"sound"}
    (stored,) = letters(tmp_path, "looks.generated")
    assert stored.letter.reason == r"\ud83d"


def test_a_record_that_is_not_a_look_is_a_dead_letter(tmp_path: Path) -> None:
    topic(tmp_path, "looks.generated").append(
        [Record("a", b"{}"), Record("b", look("a").value), look("c")]
    )

    assert run_looks(tmp_path, matched) == 0

    assert set(events(tmp_path)) == {"c"}
    assert {stored.record.key for stored in letters(tmp_path, "looks.generated")} == {"a", "b"}


def test_a_look_is_given_its_budget(tmp_path: Path) -> None:
    budgets = []

    async def match(look: Look, budget: Budget) -> LookMatches:
        budgets.append(budget.remaining())
        return await matched(look, budget)

    topic(tmp_path, "looks.generated").append([look("a")])
    run_looks(tmp_path, match)

    deadline = flow_process.flow_settings(tmp_path).stream.looks.deadline_seconds
    assert deadline - 1 < budgets[0] <= deadline
