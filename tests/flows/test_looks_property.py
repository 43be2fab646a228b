"""One event per look, whatever repetitions, orders, failures and crashes combine."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from bytewax.dataflow import Dataflow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataflows import looks
from dataflows.execution import MISCONFIGURED, execute
from dataflows.runtime import FlowRuntime
from operators.budget import Budget
from schemas.errors import ImageRefused, IndexMismatch
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches
from schemas.records import Record
from schemas.settings import LookFlowSettings, Settings, StreamSettings
from tests.flows.flow_process import NOW, flow_settings, refuse, topic
from tests.flows.in_process import letters, look

LOOK_IDS = "abcdefghijklmnop"


class KeptClaims:
    """Claims that outlive a crash, as a server's do."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        return self._owners.setdefault(name, owner)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    look_ids=st.lists(st.sampled_from(LOOK_IDS), min_size=8, max_size=24),
    broken=st.sets(st.integers(0, 23), max_size=3),
    refused=st.sets(st.sampled_from(LOOK_IDS), max_size=2),
    crashes=st.lists(st.integers(1, 24), max_size=3),
)
def test_each_look_has_exactly_one_event(
    tmp_path_factory: pytest.TempPathFactory,
    look_ids: list[str],
    broken: set[int],
    refused: set[str],
    crashes: list[int],
) -> None:
    """``crashes``: the call that ends each execution, without a last snapshot."""
    base = tmp_path_factory.mktemp("flow")
    records = [
        Record(name, b"{") if number in broken else look(name)
        for number, name in enumerate(look_ids)
    ]
    topic(base, "looks.generated").append(records)
    claims = KeptClaims()

    for call in crashes:
        assert execute_looks(base, claims, refused, call) in (0, MISCONFIGURED)
    assert execute_looks(base, claims, refused, None) == 0

    matched = topic(base, "looks.matched")
    found = [
        LookMatches.model_validate_json(record.value)
        for partition in range(matched.partitions)
        for record in matched.read(partition)
    ]
    whole = {name for number, name in enumerate(look_ids) if number not in broken}
    assert Counter(event.look_id for event in found) == Counter(whole)
    assert {event.look_id for event in found if event.refused} == whole & refused
    assert len(letters(base, "looks.generated")) == len(broken & set(range(len(look_ids))))


def execute_looks(base: Path, claims: KeptClaims, refused: set[str], crash_at: int | None) -> int:
    """One execution; its ``crash_at``-th call, counted from 1, ends the flow."""
    calls = count(1)

    async def match(look: Look, budget: Budget) -> LookMatches:
        call = next(calls)
        await asyncio.sleep(0.01 * (ord(look.look_id) % 3))  # some epochs end between calls
        if call == crash_at:
            raise IndexMismatch("a crash")
        if look.look_id in refused:
            raise ImageRefused("as drawn", reason="too-large")
        return LookMatches(
            event_id=matched_event_id(look.look_id), look_id=look.look_id, matched_at=NOW
        )

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        yield looks.build(settings, match, refuse, claims, runtime)

    flow = LookFlowSettings(window=2)
    stream = StreamSettings(recovery_folder=base / "recovery", epoch_seconds=0.005, looks=flow)
    drawn = flow_settings(base).model_copy(update={"stream": stream})
    return execute("looks", flow, drawn, open_flow, once=True)
