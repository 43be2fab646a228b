"""Putting dead letters of Kafka topics back: one transaction for the records and their marks.

A mark is an empty record on the dead-letter topic that names a letter which has been put back; it
has the letter's key, so it lies in the letter's partition, and goes when the letter goes. Replays
of one topic share a transactional id: of two at once the broker lets only the later one commit,
and what a killed one had begun is never seen.
"""

from __future__ import annotations

from collections.abc import Collection

from confluent_kafka import Producer

from operators.streaming.dead_letters import REPLAYED, StoredLetter, put_back, read_letters
from operators.streaming.kafka.records import header_bytes, key_bytes
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Unavailable
from schemas.records import Record

CHUNK = 1000
"""Letters per transaction."""


def replay(letters: KafkaTopic, source: KafkaTopic, names: Collection[str] | None = None) -> int:
    """Put letters back on ``source``, each once however often this is called; how many were put.

    ``names``: only these letters; None: all. Raises Unavailable when the brokers do not answer
    in time, or another replay of the topic has begun: what was put back before is marked.
    """
    brokers = letters.brokers
    timeout = brokers.settings.timeout_seconds
    producer = brokers.producer(
        **{
            "transactional.id": f"{brokers.settings.group_prefix}.replay.{source.name}",
            "transaction.timeout.ms": 60_000,
            "delivery.timeout.ms": 60_000,
        }
    )
    with brokers.asked():
        producer.init_transactions(timeout)
    # Read after that: nobody else's replay can add marks from now on.
    done = {
        record.headers[REPLAYED]
        for partition in range(letters.partitions)
        for record in letters.read(partition)
        if REPLAYED in record.headers
    }
    chosen = {
        stored.name: stored
        for stored in read_letters(letters)
        if stored.name not in done and (names is None or stored.name in names)
    }
    waiting = list(chosen.values())
    for start in range(0, len(waiting), CHUNK):
        with brokers.asked():
            producer.begin_transaction()
            for stored in waiting[start : start + CHUNK]:
                _produce(producer, source, put_back(stored))
                _produce(producer, letters, _mark(stored))
            if producer.flush(60.0):
                raise Unavailable(f"Kafka at {brokers.names} stopped answering")
            producer.commit_transaction(timeout)
    return len(chosen)


def _mark(stored: StoredLetter) -> Record:
    return Record(stored.record.key, b"", {REPLAYED: stored.name})


def _produce(producer: Producer, topic: KafkaTopic, record: Record) -> None:
    producer.produce(
        topic.name, value=record.value, key=key_bytes(record), headers=header_bytes(record)
    )
    producer.poll(0)
