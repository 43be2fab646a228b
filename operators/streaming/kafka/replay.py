"""Replays and discards dead letters of Kafka topics: records and marks in one transaction.

A mark is an empty record on the dead-letter topic that names a replayed or discarded letter. It has
the letter's key, so it is in the letter's partition and expires after it. Replays of one topic
share a transactional id: when two run at once the broker fences off the earlier one, and the
records of a killed replay are never visible.
"""

from __future__ import annotations

from collections.abc import Callable

from operators.streaming.dead_letters import (
    DISCARDED,
    REPLAYED,
    StoredLetter,
    read_letters,
    to_replay_record,
)
from operators.streaming.kafka.clients import Producer
from operators.streaming.kafka.records import header_bytes, key_bytes
from operators.streaming.kafka.topic import KafkaTopic
from operators.streaming.letter_selection import ALL, Selection
from schemas.errors import Unavailable
from schemas.records import Record

CHUNK = 1000
"""Letters per transaction."""


def replay(letters: KafkaTopic, source: KafkaTopic, selection: Selection = ALL) -> int:
    """Append the failed records to ``source`` again, each once over all calls; their number.

    Raises Unavailable when the brokers do not answer in time, or another replay of the topic has
    begun: what was replayed until then is marked.
    """

    def repeat(producer: Producer, stored: StoredLetter) -> None:
        _produce(producer, source, to_replay_record(stored))
        _produce(producer, letters, _mark(stored, REPLAYED))

    return _settle(letters, source, selection, repeat)


def discard(letters: KafkaTopic, source: KafkaTopic, selection: Selection = ALL) -> int:
    """Mark the letters as not to be replayed; their number. Raises Unavailable as `replay`."""

    def give_up(producer: Producer, stored: StoredLetter) -> None:
        _produce(producer, letters, _mark(stored, DISCARDED))

    return _settle(letters, source, selection, give_up)


def settled(letters: KafkaTopic) -> dict[str, str]:
    """What became of letters, by name: REPLAYED or DISCARDED."""
    return {
        record.headers[kind]: kind
        for partition in range(letters.partitions)
        for record in letters.read(partition)
        for kind in (REPLAYED, DISCARDED)
        if kind in record.headers
    }


def _settle(
    letters: KafkaTopic,
    source: KafkaTopic,
    selection: Selection,
    settle: Callable[[Producer, StoredLetter], None],
) -> int:
    """``settle`` the selected letters in transactions; their number."""
    brokers = letters.brokers
    timeout = brokers.settings.timeout_seconds
    name = f"{brokers.settings.group_prefix}.replay.{source.name}"
    producer = brokers.transactional_producer(name, 60.0)
    # Read the marks only now: no other replay can add any from here on.
    waiting = list(selection.choose(read_letters(letters), settled(letters)).values())
    for start in range(0, len(waiting), CHUNK):
        with brokers.reporting_outages():
            producer.begin_transaction()
            for stored in waiting[start : start + CHUNK]:
                settle(producer, stored)
            if producer.flush(60.0):
                raise Unavailable(f"Kafka at {brokers.addresses} stopped answering")
            producer.commit_transaction(timeout)
    return len(waiting)


def _mark(stored: StoredLetter, kind: str) -> Record:
    return Record(stored.record.key, b"", {kind: stored.name})


def _produce(producer: Producer, topic: KafkaTopic, record: Record) -> None:
    producer.produce(
        topic.name, value=record.value, key=key_bytes(record), headers=header_bytes(record)
    )
    producer.poll(0)
