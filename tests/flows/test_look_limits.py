"""The limits that the look flow sets: time per look, the life of a claim, records in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bytewax.dataflow import Dataflow

from dataflows import looks
from dataflows.execution import execute
from dataflows.looks import BACKSTOP_SECONDS
from dataflows.runtime import READ_AHEAD, FlowRuntime
from operators.budget import Budget
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches
from schemas.settings import Settings
from tests.flows.flow_process import NOW, flow_settings, refuse, topic
from tests.flows.in_process import events, look


class RecordingClaims:
    """Grants every claim; records each time to live."""

    def __init__(self) -> None:
        self.ttl_seconds: dict[str, float] = {}

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        self.ttl_seconds[name] = ttl_seconds
        return owner


class LookFlow:
    """The look flow over what is on its topic."""

    def __init__(self, base: Path) -> None:
        self.settings = flow_settings(base)
        self.claims = RecordingClaims()
        self.runtime: FlowRuntime | None = None

    def run(self, match: Callable[[Look, Budget], Awaitable[LookMatches]]) -> int:
        @contextmanager
        def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
            self.runtime = runtime
            yield looks.build(settings, match, refuse, self.claims, runtime)

        flow = self.settings.stream.looks
        return execute("looks", flow, self.settings, open_flow, once=True)


def matches(look: Look) -> LookMatches:
    return LookMatches(
        event_id=matched_event_id(look.look_id), look_id=look.look_id, matched_at=NOW
    )


def test_a_look_that_ignores_its_budget_is_cut_off_soon_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a loop whose time advances by 0.1 s per step of the call."""
    assert BACKSTOP_SECONDS <= 5, "an orderly stop waits for it"
    flow = LookFlow(tmp_path)
    topic(tmp_path, "looks.generated").append([look("a")])
    limit = flow.settings.stream.looks.deadline_seconds + BACKSTOP_SECONDS
    elapsed = 0.0

    async def ignore_the_budget(look: Look, budget: Budget) -> LookMatches:
        nonlocal elapsed
        loop = asyncio.get_running_loop()
        start = loop.time()
        monkeypatch.setattr(loop, "time", lambda: start + elapsed)
        while elapsed < 2 * limit:
            elapsed += 0.1
            await asyncio.sleep(0)
        return matches(look)

    assert flow.run(ignore_the_budget) == 0

    assert events(tmp_path)["a"].refused == "deadline"
    assert limit <= elapsed <= 1.05 * limit + 0.2


def test_a_claim_lives_as_long_as_the_settings_say(tmp_path: Path) -> None:
    flow = LookFlow(tmp_path)
    topic(tmp_path, "looks.generated").append([look("a")])

    async def match(look: Look, budget: Budget) -> LookMatches:
        return matches(look)

    assert flow.run(match) == 0

    assert flow.claims.ttl_seconds == {"look/a": flow.settings.matching.claim_seconds}


def test_records_in_flight_are_limited(tmp_path: Path) -> None:
    """Until the gate is full no call ends; then the source has emitted its capacity, no more."""
    flow = LookFlow(tmp_path)
    capacity = READ_AHEAD * flow.settings.stream.looks.window
    topic(tmp_path, "looks.generated").append(look(f"look-{n}") for n in range(3 * capacity))
    most, full = 0, False

    async def wait_for_a_full_gate(look: Look, budget: Budget) -> LookMatches:
        nonlocal most, full
        assert flow.runtime is not None
        gate = flow.runtime.lane.gate
        while not full and gate.inside < 3 * capacity:
            full = gate.room == 0
            await asyncio.sleep(0.001)
        most = max(most, gate.inside)
        return matches(look)

    assert flow.run(wait_for_a_full_gate) == 0

    assert most == capacity
    assert len(events(tmp_path)) == 3 * capacity
