"""Malformed records, gaps, and missing topics: how a flow on Kafka handles each."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from rich.console import Console
from structlog.testing import capture_logs

from dataflows.execution import MISCONFIGURED, UNAVAILABLE
from dataflows.wiring.letters import Letters
from operators.streaming.dead_letters import StoredLetter, read_letters
from operators.streaming.letter_selection import ALL
from schemas.records import Record
from services.cli.dead_letters import print_letters
from tests.real.kafka_flows import KafkaFlows, packet
from tests.real.real_servers import RealKafka

pytestmark = pytest.mark.services


@pytest.fixture
def flows(kafka: RealKafka, tmp_path: Path) -> KafkaFlows:
    made = KafkaFlows(kafka.brokers, tmp_path, partitions=1)
    made.create()
    return made


def letters(flows: KafkaFlows) -> list[StoredLetter]:
    return list(read_letters(flows.topic("updates.dlq")))


def versions(flows: KafkaFlows) -> list[int]:
    return [json.loads(record.value)["version"] for record in flows.read("changes")]


def reported_error(logs: Sequence[MutableMapping[str, Any]]) -> str:
    (error,) = [line["error"] for line in logs if line["event"] == "flow cannot run"]
    return str(error)


@pytest.mark.parametrize(
    ("key", "value", "headers", "problem"),
    [
        (b"acme:1", None, [], "the value is null"),
        (None, b"{}", [], "the key is null"),
        (b"\xff\xfe", b"\x00{}", [], "the key is not UTF-8"),
        (b"acme:1", b"\xff\x00", [("h", b"\xff")], "Invalid JSON"),
        (b"acme:1", b"", [("h", None)], "Invalid JSON"),
    ],
)
def test_a_malformed_record_becomes_a_dead_letter_with_its_bytes(
    flows: KafkaFlows,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, str | bytes | None]],
    problem: str,
) -> None:
    producer = Producer({"bootstrap.servers": flows.brokers})
    producer.produce(flows.topic("updates").name, key=key, value=value, headers=headers)
    producer.flush(10)
    flows.topic("updates").append([packet("9", 1)])

    assert flows.run() == 0

    (stored,) = letters(flows)
    assert problem in stored.letter.message
    assert stored.record.value == (value or b"")
    assert stored.record.key.encode(errors="surrogateescape") == (key or b"")
    assert versions(flows) == [1]
    print_letters(flows.settings(), flows.topic("updates").name, Console())


def test_trace_headers_are_copied_to_the_output(flows: KafkaFlows) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    flows.topic("updates").append(
        [
            packet("1", 1, headers={**trace, "tracestate": "a=1", "vendor": "x"}),
            packet("2", 1, refuse=True, headers={**trace, "vendor": "x"}),
        ]
    )

    assert flows.run() == 0

    (change,), (letter,) = flows.read("changes"), letters(flows)
    position = f"{flows.topic('updates').name}/0/0"
    assert change.headers == {**trace, "tracestate": "a=1", "source-position": position}
    assert letter.record.headers.items() >= {**trace, "vendor": "x"}.items()


def test_letters_are_replayed_once(flows: KafkaFlows) -> None:
    flows.topic("updates").append(packet(f"{n}", 1, refuse=True) for n in range(3))
    assert flows.run() == 0

    replays = [
        Letters(flows.topic("updates.dlq"), flows.topic("updates")).replay(ALL) for _ in range(2)
    ]
    assert flows.run() == 0

    assert replays == [3, 0]
    assert [stored.letter.attempts for stored in letters(flows)] == [1, 1, 1, 2, 2, 2]
    again = [r for r in flows.read("updates") if "replay-of" in r.headers]
    assert len(again) == 3
    assert not any(name.startswith(("dlq-", "source-")) for r in again for name in r.headers)


def delete_before(flows: KafkaFlows, offset: int) -> None:
    partition = TopicPartition(flows.topic("updates").name, 0, offset)
    admin = AdminClient({"bootstrap.servers": flows.brokers})
    admin.delete_records([partition])[partition].result(10)


def test_a_gap_stops_the_flow_unless_it_is_accepted(flows: KafkaFlows) -> None:
    updates = flows.topic("updates")
    updates.append(packet("1", n) for n in range(10))
    assert flows.run() == 0
    updates.append(packet("1", n) for n in range(10, 20))
    delete_before(flows, 15)

    with capture_logs() as logs:
        assert flows.run() == MISCONFIGURED
    assert "records 10 to 14 (5 records) were deleted" in reported_error(logs)
    assert "accept_gaps" in reported_error(logs)

    assert flows.run(settings=flows.settings(accept_gaps=True)) == 0
    assert versions(flows) == [*range(10), *range(15, 20)]


def test_a_topic_that_was_replaced_is_read_from_its_beginning(flows: KafkaFlows) -> None:
    """Kafka deletes a topic's committed positions with the topic: none applies to the new one."""
    updates = flows.topic("updates")
    updates.append(packet("1", n) for n in range(10))
    assert flows.run() == 0
    flows.replace("updates")
    flows.topic("updates").append(packet("2", n) for n in range(20))  # longer than before

    assert flows.run() == 0

    assert len(flows.read("changes")) == 30


@pytest.mark.parametrize("records", [5, 20])
def test_a_topic_that_is_replaced_while_it_is_read_ends_the_flow_and_loses_nothing(
    flows: KafkaFlows, records: int
) -> None:
    """However long the new one is: a position in the old one means nothing in it."""
    flows.topic("updates").append(packet("1", n) for n in range(10))

    def replace() -> None:
        while len(flows.read("changes")) < 10:
            time.sleep(0.1)
        flows.replace("updates")
        flows.topic("updates").append(packet("2", n) for n in range(100, 100 + records))

    with capture_logs() as logs, ThreadPoolExecutor() as threads:
        replaced = threads.submit(replace)
        assert flows.run(once=False) == MISCONFIGURED
        replaced.result()
    assert re.search("has been deleted|was deleted and created again", reported_error(logs))

    code = flows.run()
    if code == MISCONFIGURED:  # a last commit came after Kafka had deleted the others
        admin = AdminClient({"bootstrap.servers": flows.brokers})
        group = f"{flows.prefix}.catalog"
        admin.delete_consumer_groups([group])[group].result(10)
        code = flows.run()
    assert code == 0
    assert {*versions(flows)} == {*range(10), *range(100, 100 + records)}


def test_a_missing_topic_names_the_command(kafka: RealKafka, tmp_path: Path) -> None:
    with capture_logs() as logs:
        assert KafkaFlows(kafka.brokers, tmp_path).run() == MISCONFIGURED
    assert "looksync topics create" in reported_error(logs)


def test_an_unreachable_broker_is_reported_at_the_start(tmp_path: Path) -> None:
    flows = KafkaFlows("127.0.0.1:1", tmp_path)
    with capture_logs() as logs:
        assert flows.run(settings=flows.settings(timeout_seconds=2)) == UNAVAILABLE
    assert "topics.brokers" in reported_error(logs)


def test_a_first_start_begins_at_its_groups_offset(flows: KafkaFlows) -> None:
    """The offset was set with Kafka's own tools."""
    updates = flows.topic("updates")
    updates.append(packet("1", n) for n in range(10))
    group = Consumer({"bootstrap.servers": flows.brokers, "group.id": f"{flows.prefix}.catalog"})
    group.commit(offsets=[TopicPartition(updates.name, 0, 7)], asynchronous=False)
    group.close()

    assert flows.run() == 0
    assert versions(flows) == [7, 8, 9]


def test_the_group_offset_follows_the_flow(flows: KafkaFlows) -> None:
    flows.topic("updates").append(packet("1", n) for n in range(10))
    assert flows.run() == 0

    group = Consumer({"bootstrap.servers": flows.brokers, "group.id": f"{flows.prefix}.catalog"})
    (committed,) = group.committed([TopicPartition(flows.topic("updates").name, 0)], timeout=10)
    group.close()
    assert committed.offset == 10


def test_a_record_too_large_for_its_topic_stops_the_flow(flows: KafkaFlows) -> None:
    """No retry helps, and nothing is skipped: the operator must raise the limit."""
    value = packet("1", 1, refuse=True)
    large = Record(
        value.key, value.value[:-2] + b', "x": "%s"}}' % random.randbytes(500_000).hex().encode()
    )
    set_config(flows, "updates.dlq", {"max.message.bytes": "100000"})
    flows.topic("updates").append([large])

    with capture_logs() as logs:
        assert flows.run() == MISCONFIGURED
    assert "max.message.bytes" in reported_error(logs)

    set_config(flows, "updates.dlq", {"max.message.bytes": "9000000"})
    assert flows.run() == 0
    assert [stored.record.value for stored in letters(flows)] == [large.value]


def set_config(flows: KafkaFlows, topic: str, config: dict[str, str]) -> None:
    resource = ConfigResource(
        ResourceType.TOPIC,
        flows.topic(topic).name,
        incremental_configs=[
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in config.items()
        ],
    )
    admin = AdminClient({"bootstrap.servers": flows.brokers})
    admin.incremental_alter_configs([resource])[resource].result(10)
