"""The contract of every kind of topic: for commands, and for a flow."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from bytewax.dataflow import Dataflow
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dataflows.execution import MISCONFIGURED, execute
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, write_dead_letters, write_records
from dataflows.wiring.topics import FlowTopic, open_topic
from operators.streaming.dead_letters import read_letters
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.outcomes import Done, Failed
from schemas.errors import IndexMismatch, InvalidRecord
from schemas.records import Record
from schemas.settings import Settings

KEYS = "abcdefgh"


@dataclass(frozen=True)
class World:
    """Topics of one test: ``updates`` with its dead letters, and ``changes``."""

    settings: Settings

    @property
    def updates(self) -> FlowTopic:
        return open_topic(self.settings.topics, self.settings.topics.updates)

    @property
    def changes(self) -> FlowTopic:
        return open_topic(self.settings.topics, self.settings.topics.changes)

    @property
    def letters(self) -> FlowTopic:
        topics = self.settings.topics
        return open_topic(topics, topics.dead_letters(topics.updates))

    def run(self, crash_at: int | None = None) -> int:
        """Run a flow that passes records on, and refuses those that end with "!".

        Its ``crash_at``-th call, counted from 1, ends it without a last snapshot.
        """
        calls = count(1)

        async def handle(record: Record) -> bytes:
            call = next(calls)
            await asyncio.sleep(0.003 * (len(record.value) % 4))  # some epochs end between calls
            if call == crash_at:
                raise IndexMismatch("a crash")
            if record.value.endswith(b"!"):
                raise InvalidRecord("as asked")
            return record.value

        def output(outcome: Done[Record, bytes] | Failed[Record]) -> Record | None:
            return Record(outcome.item.key, outcome.value) if isinstance(outcome, Done) else None

        @contextmanager
        def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
            flow = Dataflow("pass")
            outcomes = handle_records(flow, self.updates, handle, CallPolicy(4, 30.0, 3), runtime)
            write_records("out", outcomes, output, self.changes, runtime)
            write_dead_letters(
                outcomes, lambda failed: True, self.updates, settings.topics, runtime
            )
            yield flow

        return execute("pass", self.settings.stream.catalog, self.settings, open_flow, once=True)


def everything(topic: FlowTopic) -> list[Record]:
    return [record for p in range(topic.partitions) for record in topic.read(p)]


class TopicContract:
    @pytest.fixture
    def worlds(self) -> Callable[[Path], World]:
        raise NotImplementedError

    def test_a_record_is_read_at_the_position_where_it_was_appended(
        self, worlds: Callable[[Path], World], tmp_path: Path
    ) -> None:
        topic = worlds(tmp_path).updates
        records = [
            Record("k", b"1", {"h": "v"}),
            Record("k", b"\x00\xff"),
            Record("", b""),
            Record("ключ", "日本".encode()),
        ]

        positions = topic.append(records)

        for record, position in zip(records, positions, strict=True):
            read = next(topic.read(position.partition, position.offset))
            assert read == Record(record.key, record.value, record.headers, position)
        ends = topic.end_offsets()
        later = topic.append([Record("k", b"later")])[0]
        assert later.offset == ends[later.partition]

    def test_a_key_has_one_partition(self, worlds: Callable[[Path], World], tmp_path: Path) -> None:
        topic = worlds(tmp_path).updates
        where: dict[str, set[int]] = defaultdict(set)
        records = [Record(key, b"") for key in KEYS * 3]
        for record, position in zip(records, topic.append(records), strict=True):
            where[record.key].add(position.partition)
        assert {len(partitions) for partitions in where.values()} == {1}

    def test_crashes_lose_nothing_double_nothing_and_keep_the_order(
        self, worlds: Callable[[Path], World], tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        @settings(
            max_examples=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        )
        @given(
            drawn=st.lists(
                st.tuples(st.sampled_from(KEYS), st.booleans()), min_size=20, max_size=60
            ),
            crashes=st.lists(st.integers(1, 60), min_size=1, max_size=3),
        )
        def crashed(drawn: list[tuple[str, bool]], crashes: list[int]) -> None:
            world = worlds(tmp_path_factory.mktemp("world"))
            refused = [key for key, refuse in drawn if refuse]
            sent = [
                Record(key, f"{n}{'!' if refuse else ''}".encode())
                for n, (key, refuse) in enumerate(drawn)
            ]
            positions = world.updates.append(sent)

            for call in crashes:
                assert world.run(call) in (0, MISCONFIGURED)
            assert world.run() == 0

            expected, found = defaultdict(list), defaultdict(list)
            for record in sent:
                if not record.value.endswith(b"!"):
                    expected[record.key].append(record.value)
            for record in everything(world.changes):
                found[record.key].append(record.value)
            assert found == expected
            letters = sorted(stored.name for stored in read_letters(world.letters))
            assert len(letters) == len(refused)
            assert letters == sorted(
                str(position)
                for position, (_, refuse) in zip(positions, drawn, strict=True)
                if refuse
            )

        crashed()

    def test_an_execution_continues_where_the_last_one_ended(
        self, worlds: Callable[[Path], World], tmp_path: Path
    ) -> None:
        world = worlds(tmp_path)
        for n in range(3):
            world.updates.append([Record("k", f"{n}".encode())])
            assert world.run() == 0

        assert [record.value for record in everything(world.changes)] == [b"0", b"1", b"2"]
