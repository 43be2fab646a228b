"""A Kafka topic as a sink of the engine: what a crash left unfinished is recognised and not
written again.

Every record carries the position of the record that it was made of. Each input makes at most one
output per topic, so that position is the output's identity, whatever its key or contents. The
recovered state is, per output partition, an offset before which everything of ours belongs to
finished epochs; on resume the topic is read from there to its end, and what the unfinished epoch
wrote is skipped, once each, when it comes again. Before the first snapshot a note beside the
recovery store says where the topic ended when it was first opened (decisions/081).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from confluent_kafka import KafkaError, Message

from operators.durable_files import replace_durably
from operators.streaming.engine.recovery import RecoveryStore
from operators.streaming.kafka.ownership import Ownership
from operators.streaming.kafka.records import from_message, header_bytes, key_bytes
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import LookSyncError, Misconfigured, Unavailable
from schemas.records import SOURCE, Record

log = structlog.get_logger()

ENDS_EVERY_SECONDS = 10.0
"""How often the topic's ends are asked for: what stands before them is not read on resume."""
STOP_PATIENCE_SECONDS = 10.0
"""How long a stop waits for brokers that do not answer."""

State = tuple[dict[int, int], tuple[str, ...]]
"""Per output partition, where to read from on resume; what was found before it and has not come
again yet."""


class KafkaTopicSink(FixedPartitionedSink[Record, State]):
    """Writes records that were made of those of the partitions that ``ownership`` has."""

    def __init__(
        self,
        topic: KafkaTopic,
        ownership: Ownership,
        store: RecoveryStore,
        stop: threading.Event,
    ) -> None:
        """Several processes may write the topic, each what it made of its own partitions."""
        self._topic = topic
        self._ownership = ownership
        self._store = store
        self._note = store.folder / f"{topic.name}.first-ends"
        self._stop = stop

    def list_parts(self) -> list[str]:
        return ["all"]

    def part_fn(self, item_key: str) -> int:
        return 0

    def build_part(
        self, step_id: str, for_part: str, resume_state: State | None
    ) -> StatefulSinkPartition[Record, State]:
        while True:
            try:
                return self._built(resume_state)
            except Unavailable:
                # The engine builds a sink at its first write, which may be in an outage.
                if self._stop.wait(1.0):
                    raise

    def _built(self, recovered: State | None) -> _Partition:
        ends = self._topic.end_offsets()
        starts, known = recovered or (self._first_ends(ends), ())
        found = {
            source
            for message in self._topic.messages({p: starts.get(p, 0) for p in ends})
            if self._is_ours(source := from_message(message).headers.get(SOURCE, ""))
        }
        if found:
            log.info("written by an unfinished epoch", topic=self._topic.name, records=len(found))
        return _Partition(self._topic, self._ownership, self._stop, ends, found.union(known))

    def _first_ends(self, ends: dict[int, int]) -> dict[int, int]:
        """Where the topic ended when the flow with this recovery store first opened it."""
        if self._note.exists():
            note = json.loads(self._note.read_bytes())
            if note["store"] == self._store.id:
                return {int(partition): int(end) for partition, end in note["ends"].items()}
        replace_durably(self._note, json.dumps({"store": self._store.id, "ends": ends}).encode())
        return ends

    def _is_ours(self, source: str) -> bool:
        topic, _, rest = source.partition("/")
        partition = rest.partition("/")[0]
        return (
            topic == self._ownership.topic.name
            and partition.isdecimal()
            and int(partition) in self._ownership.partitions
        )


class _Partition(StatefulSinkPartition[Record, State]):
    def __init__(
        self,
        topic: KafkaTopic,
        ownership: Ownership,
        stop: threading.Event,
        ends: dict[int, int],
        written: set[str],
    ) -> None:
        self._topic = topic
        self._ownership = ownership
        self._stop = stop
        # Told of failures only: a call per record delivered would cost as much as writing it.
        self._producer = topic.brokers.producer(
            **{"delivery.report.only.error": True, "on_delivery": self._on_failure}
        )
        self._ends = ends
        self._asked_ends = time.monotonic()
        self._written = written
        """Sources of records that an unfinished epoch wrote and that have not come again."""
        self._failure: LookSyncError | None = None

    def write_batch(self, values: list[Record]) -> None:
        self._wait(lambda: self._ownership.assured)
        for record in values:
            if self._written and record.headers[SOURCE] in self._written:
                self._written.discard(record.headers[SOURCE])
                continue
            self._produce(record)
        self._producer.poll(0)
        self._check()

    def snapshot(self) -> State:
        """Everything written is on all replicas in sync when this returns."""
        self._wait(lambda: self._producer.flush(0) == 0)
        if time.monotonic() - self._asked_ends > ENDS_EVERY_SECONDS:
            with suppress(Unavailable):
                # All of ours is before these ends, all that is to come after them. The old ones
                # do as well: what is read once more on resume is known to be handled.
                self._ends = self._topic.end_offsets()
            self._asked_ends = time.monotonic()
        self._written = {source for source in self._written if not self._is_handled(source)}
        return (dict(self._ends), tuple(sorted(self._written)))

    def _produce(self, record: Record) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic.name,
                    value=record.value,
                    key=key_bytes(record),
                    headers=header_bytes(record),
                )
                return
            except BufferError:
                # As much as the queue holds is on its way: hold the flow back.
                waiting = len(self._producer)
                self._wait(lambda: len(self._producer) < waiting)  # noqa: B023

    def _on_failure(self, error: KafkaError | None, message: Message[bytes, bytes]) -> None:
        if error is not None and self._failure is None:
            self._failure = self._explained(error)

    def _explained(self, error: KafkaError) -> LookSyncError:
        explained = self._topic.brokers.explained(error)
        if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
            return Misconfigured(
                f"{self._topic.name}: a record is larger than the topic takes: raise its "
                "max.message.bytes (`looksync topics check` names what it should be)"
            )
        if isinstance(explained, Misconfigured):
            return explained
        return Unavailable(
            f"{self._topic.name}: a record was not delivered ({error}); the flow stops, and "
            "writes it after its next start"
        )

    def _wait(self, until: Callable[[], bool]) -> None:
        """Serve delivery reports until ``until`` holds; raises what makes that impossible."""
        stopping: float | None = None
        while True:
            self._check()
            if until():
                self._check()
                return
            self._producer.poll(0.05)
            if self._stop.is_set() and self._topic.brokers.down:
                stopping = stopping or time.monotonic()
                if time.monotonic() - stopping > STOP_PATIENCE_SECONDS:
                    raise Unavailable(
                        f"{self._topic.name}: Kafka does not answer; what was not written is "
                        "written after the next start"
                    )

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._ownership.check()

    def _is_handled(self, source: str) -> bool:
        _, partition, offset = source.rsplit("/", 2)
        return self._ownership.handled(int(partition), int(offset))
