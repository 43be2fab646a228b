"""Kafka topics as sinks of the engine: outputs wait in the member for their transaction."""

from __future__ import annotations

from dataclasses import dataclass

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.streaming.kafka.member import Member
from schemas.records import Record

FULL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Output:
    """What a flow made from a record."""

    source: Record
    record: Record


class KafkaTopicSink(FixedPartitionedSink[Output, None]):
    """Writes to ``topic`` what ``member`` commits."""

    def __init__(self, topic: str, member: Member) -> None:
        self._topic = topic
        self._member = member

    def list_parts(self) -> list[str]:
        return ["all"]

    def part_fn(self, item_key: str) -> int:
        return 0

    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSinkPartition[Output, None]:
        return _Sink(self._topic, self._member)


class _Sink(StatefulSinkPartition[Output, None]):
    def __init__(self, topic: str, member: Member) -> None:
        self._topic = topic
        self._member = member

    def write_batch(self, values: list[Output]) -> None:
        self._member.check()
        for output in values:
            self._member.inputs.pass_on(output.source, self._topic, output.record)
        while self._member.inputs.handled_enough:
            # Holds the engine, and with it the sources, until a transaction is through.
            self._member.check()
            self._member.clock.sleep(FULL_SECONDS)

    def snapshot(self) -> None:
        return None
