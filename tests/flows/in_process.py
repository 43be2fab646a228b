"""Runs the flows in this process over what is on their topics, with quick parts."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bytewax.dataflow import Dataflow

from dataflows import catalog, looks
from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from operators.budget import Budget
from operators.catalog.apply import Applied
from operators.streaming.dead_letters import StoredLetter, read_letters
from schemas.catalog import Decision, Packet
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches
from schemas.records import Record
from schemas.settings import Settings
from tests.flows.flow_process import NOW, Effects, flow_settings, refuse, topic


def packet(product_id: str, **fields: object) -> bytes:
    values = {"vendor": "acme", "product_id": product_id, "kind": "upsert", "version": 1}
    return json.dumps(values | fields).encode()


def look(look_id: str) -> Record:
    value = {"look_id": look_id, "user_id": "u1", "image": {"url": "https://example.com/x.png"}}
    return Record(look_id, json.dumps(value).encode())


class RunCatalog:
    """Runs the catalog flow over what is on its topic; keeps the metrics."""

    def __init__(self, base: Path, apply: Callable[[Packet, str], Awaitable[Applied]]) -> None:
        self._settings = flow_settings(base)
        self._apply = apply
        self.runtime: FlowRuntime | None = None

    def __call__(self) -> int:
        flow = self._settings.stream.catalog
        return execute("catalog", flow, self._settings, self._open, once=True)

    @contextmanager
    def _open(self, settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        self.runtime = runtime
        yield catalog.build(settings, self._apply, runtime)

    def metric(self, name: str, **labels: str) -> float | None:
        assert self.runtime is not None
        return self.runtime.metrics.registry.get_sample_value(name, labels)


def run_looks(
    base: Path,
    match: Callable[[Look, Budget], Awaitable[LookMatches]],
    runtimes: list[FlowRuntime] | None = None,
) -> int:
    """Runs the look flow over what is on its topic; its runtime is added to ``runtimes``."""

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        if runtimes is not None:
            runtimes.append(runtime)
        yield looks.build(settings, match, refuse, Effects(base), runtime)

    settings = flow_settings(base)
    return execute("looks", settings.stream.looks, settings, open_flow, once=True)


def events(base: Path) -> dict[str, LookMatches]:
    matched = topic(base, "looks.matched")
    read = [
        LookMatches.model_validate_json(record.value)
        for partition in range(matched.partitions)
        for record in matched.read(partition)
    ]
    by_look = {event.look_id: event for event in read}
    assert len(by_look) == len(read), "a look has one event"
    return by_look


def letters(base: Path, source: str) -> list[StoredLetter]:
    return list(read_letters(topic(base, f"{source}.dlq")))


async def unchanged(packet: Packet, position: str) -> Applied:
    return Applied(Decision.UNCHANGED, None, 0)


async def matched(look: Look, budget: Budget) -> LookMatches:
    return LookMatches(
        event_id=matched_event_id(look.look_id),
        look_id=look.look_id,
        degraded=("describe:deadline",),
        timings_ms={"describe": 12.0},
        matched_at=NOW,
    )
