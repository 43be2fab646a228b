"""Several processes of a flow on one topic: whatever happens to them, in whatever order, nothing is
lost or doubled, and each key keeps its order."""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext, suppress
from itertools import count

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators.streaming.engine.call_policy import TRIALS
from schemas.errors import Unavailable
from schemas.records import Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import (
    GROUP,
    IN,
    LETTERS,
    OUT,
    PARTITIONS,
    Process,
    topic,
    written,
)

KEYS = "abcdefg"


class Deployment:
    """Processes of one flow; some may be suspended while the group believes them dead."""

    def __init__(self) -> None:
        self.kafka = FakeKafka()
        self.kafka.create(IN, PARTITIONS)
        self.kafka.create(OUT, 2)
        self.kafka.create(LETTERS, 1)
        self.sent: dict[str, list[bytes]] = defaultdict(list)
        self._numbers = count()
        self._names = count()
        self.suspended: list[Process] = []
        self.deaths = 0
        self.processes = [self.start()]

    def start(self, instance: str | None = None) -> Process:
        process = Process(self.kafka, instance or f"p{next(self._names)}")
        process.clock.while_asleep = lambda: self._others_go_on(process)
        return process

    def _others_go_on(self, waiting: Process) -> None:
        """While a process drains a partition, its calls end, but for one that hangs."""
        if len(waiting.started) > 1:
            waiting.finish(0)

    def feed(self, key: str) -> None:
        value = str(next(self._numbers)).encode()
        self.sent[key].append(value)
        topic(self.kafka, IN).append([Record(key, value)])

    def step(self, action: str, number: int) -> None:
        process = self.processes[number % len(self.processes)]
        self.deaths += action in ("restart", "die", "suspend")
        match action:
            case "feed":
                self.feed(KEYS[number % len(KEYS)])
            case "step":
                process.step()
            case "take":
                process.take()
            case "start":
                process.start(number // 7)
            case "finish":
                process.finish(number // 7)
            case "restart":
                process.die()
                self.processes[self.processes.index(process)] = self.start(process.instance)
            case "join":
                if len(self.processes) < PARTITIONS + 1:
                    self.processes.append(self.start())
            case "leave":
                # One that has lost its partitions reports that its outputs were not committed.
                dead = process.instance not in self.kafka.groups[GROUP].members
                with suppress(Unavailable) if dead else nullcontext():
                    process.stop()
                self._replace(process)
            case "die":
                self.kafka.expire(GROUP, process.instance)
                self._replace(process)
            case "suspend":
                self.kafka.expire(GROUP, process.instance)
                self.suspended.append(process)
                self._replace(process)
            case "wake":
                if self.suspended:
                    self.processes.append(self.suspended.pop(0))

    def _replace(self, process: Process) -> None:
        self.processes.remove(process)
        if not self.processes:
            self.processes.append(self.start())

    def drain(self) -> None:
        self.processes += self.suspended
        for _ in range(4):
            for process in self.processes:
                process.step()
        for _ in range(3):
            for process in self.processes:
                process.work()
        for process in self.processes:
            process.stop()


actions = st.sampled_from(
    ["feed"] * 4
    + ["step"] * 4
    + ["take"] * 3
    + ["start"] * 4
    + ["finish"] * 4
    + ["restart", "join", "leave", "die", "suspend", "wake", "wake"]
)


CRASH_AND_STOP = ("feed", "step", "take", "start", "finish", "restart", "leave", "join", "join")
"""A stop right after a crash in the middle of the work, and another number of processes."""


LOST_AND_STOPPED = ("feed", "step", "take", "start", "finish", "suspend", "wake")
"""A stop right after others have the partitions whose outputs are not committed."""


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(st.tuples(actions, st.integers(0, 10**6)), min_size=10, max_size=100))
@example([*((action, 0) for action in LOST_AND_STOPPED), ("leave", 1)])
@example(
    [
        (action, 0)
        for action in [
            "feed",
            "step",
            "take",
            "start",
            "finish",
            "restart",
            "leave",
            "join",
            "join",
        ]
    ]
)
def test_nothing_is_lost_or_duplicated_and_each_key_keeps_its_order(
    steps: list[tuple[str, int]],
) -> None:
    deployment = Deployment()
    for action, number in steps:
        deployment.step(action, number)
    deployment.drain()

    found, letters = written(deployment.kafka), written(deployment.kafka, LETTERS)
    for key, values in deployment.sent.items():
        assert found[key] == [value for value in values if value not in letters[key]]
    assert sum(map(len, letters.values())) * TRIALS <= deployment.deaths


@pytest.mark.parametrize("at", [0, 1], ids=["before its offsets", "before its end"])
def test_a_process_that_is_suspended_in_its_transaction_cannot_end_it(at: int) -> None:
    deployment = Deployment()
    (first,) = deployment.processes
    for key in KEYS:
        deployment.feed(key)
    first.step()
    first.take()
    for _ in KEYS:
        first.start()
        first.finish()

    def suspend(name: str) -> None:
        if name == "transaction" and next(requests) == at:
            deployment.kafka.on_request = lambda name: None
            deployment.kafka.expire(GROUP, first.instance)
            deployment.processes.append(deployment.start())
            deployment.processes[1].work()

    requests = count()
    deployment.kafka.on_request = suspend
    first.step()
    assert len(deployment.processes) == 2
    deployment.drain()

    assert written(deployment.kafka) == deployment.sent
