"""A flow process on the in-memory Kafka, without the engine: the group's member and calls.

Nothing happens by itself, so that a test decides what happens in which order, and dies between any
two steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from operators.metering import unmetered
from operators.streaming.engine.gate import Gate
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.member import Member
from operators.streaming.kafka.membership import Membership, SourceMetrics
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import KilledProcess
from schemas.records import SOURCE, Record
from schemas.settings import KafkaSettings, TopicSettings
from tests.streaming.fake_kafka import FakeKafka

PARTITIONS = 3
IN, OUT, LETTERS, GROUP = "in", "out", "letters", "flow"


@dataclass
class Clock:
    """Time that passes when a test says so, or something sleeps."""

    now: float = 1000.0
    while_asleep: Callable[[], None] = lambda: None
    """What goes on meanwhile."""

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds
        self.while_asleep()


def topic(kafka: FakeKafka, name: str, **settings: Any) -> KafkaTopic:
    return KafkaTopic(Brokers(TopicSettings(kafka=KafkaSettings(**settings)), kafka), name)


class Process:
    """One running process; it copies the records of its partitions from IN to OUT."""

    def __init__(
        self,
        kafka: FakeKafka,
        instance: str = "a",
        name: str = IN,
        *,
        in_thread: bool = False,
        **settings: Any,
    ) -> None:
        """``in_thread``: the member polls in its own thread, without step()."""
        self.kafka = kafka
        self.instance = instance
        self.clock = Clock()
        self.gate = Gate(6)
        self.inputs = Inputs(self.gate)
        self.inputs.add_step()
        self.lost: dict[int, int] = defaultdict(int)
        self.deaths = 0
        """Partitions whose last owner died."""
        self.lag: dict[int, int] = {}
        self.called: list[Record] = []
        """Taken from the source, in order, and not passed on yet."""
        self.started: list[Record] = []
        """Of these, the ones whose calls have begun."""
        self.letters: list[Record] = []
        """Records that were not called because they had killed earlier processes."""
        self.refused = 0
        """How many calls were not begun because their partition was given back."""
        self.member = Member(
            topic(kafka, name, **settings),
            Membership(GROUP, instance),
            self.inputs,
            SourceMetrics(
                emitted=lambda *_: None,
                lag=self._note_lag,
                died=self._note_death,
                meter=unmetered,
                lost=self._note_lost,
            ),
            self.clock,
        )
        self.member.cancel_given_up = self._cancel_given_up
        if in_thread:
            self.member.start()
        else:
            self.member.open()
            self.step()

    def step(self) -> None:
        """Let the member poll and commit."""
        self.clock.now += 0.01
        self.member.step()

    def take(self) -> list[Record]:
        """Emit what the gate has room for."""
        taken = self.inputs.take()
        self.called += taken
        return taken

    def start(self, choice: int = 0) -> None:
        """Begin the call of one record that is the first of its key."""
        busy = {record.key for record in self.started}
        first = {r.key: r for r in reversed(self.called) if r not in self.started}
        ready = [record for key, record in first.items() if key not in busy]
        if ready:
            record = ready[choice % len(ready)]
            try:
                may_start = self.inputs.start(record)
            except KilledProcess:
                self._drop(record)
                self.letters.append(record)
                self.inputs.pass_on(record, LETTERS, Record(record.key, record.value))
                return
            if may_start:
                self.started.append(record)
            else:
                self.refused += 1
                self._drop(record)

    def finish(self, choice: int = 0) -> None:
        """Pass on the outcome of one started call."""
        if self.started:
            record = self.started.pop(choice % len(self.started))
            self._drop(record)
            output = Record(record.key, record.value, {SOURCE: str(record.position)})
            self.inputs.pass_on(record, OUT, output)

    def work(self) -> None:
        """Handle and commit everything that there is."""
        idle = 0
        while idle < 5:
            before = self.outputs
            self.clock.now += 1.0
            self.step()
            self.take()
            while self.called:
                self.start()
                self.finish()
            self.step()
            idle = idle + 1 if self.outputs == before else 0

    def stop(self) -> None:
        """End in order."""
        self.member.leave()

    def die(self) -> None:
        """What the producer holds is gone, and the group does not know."""

    @property
    def outputs(self) -> int:
        return sum(len(log.entries) for name in (OUT, LETTERS) for log in self.kafka.logs[name])

    def _drop(self, record: Record) -> None:
        self.called.remove(record)
        self.gate.leave(1, len(record.value))

    def _cancel_given_up(self) -> None:
        for record in [r for r in self.started if self.inputs.given_up(r)]:
            self.started.remove(record)
            self._drop(record)
            self.inputs.withdrawn(record)

    def _note_death(self) -> None:
        self.deaths += 1

    def _note_lost(self, partition: int, records: int) -> None:
        self.lost[partition] += records

    def _note_lag(self, lag: dict[int, int]) -> None:
        self.lag = lag


def written(kafka: FakeKafka, name: str = OUT) -> dict[str, list[bytes]]:
    """Per key, the values on OUT, or another topic, in their order there."""
    found: dict[str, list[bytes]] = defaultdict(list)
    out = topic(kafka, name)
    for partition in range(out.partitions):
        for record in out.read(partition):
            found[record.key].append(record.value)
    return found
