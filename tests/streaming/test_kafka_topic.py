"""A Kafka topic as commands and flows use it: appending, reading, and errors of either."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError

from operators.streaming.kafka.clients import Producer
from operators.streaming.kafka.records import from_message
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured, Unavailable
from schemas.records import MalformedRecord, Position, Record
from tests.streaming.fake_kafka import QUEUE_RECORDS, Entry, FakeKafka
from tests.streaming.kafka_process import topic


@pytest.fixture
def records(kafka: FakeKafka) -> KafkaTopic:
    kafka.create("records", 2)
    return topic(kafka, "records", timeout_seconds=2)


@pytest.fixture
def lone(kafka: FakeKafka) -> KafkaTopic:
    """Has one partition with the records 0 to 4."""
    kafka.create("lone", 1)
    lone = topic(kafka, "lone", timeout_seconds=2)
    lone.append([Record("k", str(n).encode()) for n in range(5)])
    return lone


def values(records: list[Record]) -> list[int]:
    return [int(record.value) for record in records]


def test_records_are_read_back_with_their_positions(records: KafkaTopic) -> None:
    sent = [Record(key, b"v", {"h": key}) for key in "abcd"]

    positions = records.append(sent)

    found = {r.position: r for p in range(records.partitions) for r in records.read(p)}
    assert [found[position].key for position in positions] == list("abcd")
    assert [found[position].headers["h"] for position in positions] == list("abcd")
    assert records.end_offsets() == {
        partition: sum(p.partition == partition for p in positions) for partition in (0, 1)
    }


def test_more_records_than_the_queue_holds(kafka: FakeKafka, lone: KafkaTopic) -> None:
    """While the brokers do not answer, the queue fills."""
    count = QUEUE_RECORDS + 5
    polls: list[None] = []
    kafka.down = True

    def come_back() -> None:
        polls.append(None)
        kafka.down = len(polls) < count

    kafka.on_poll = come_back
    positions = lone.append([Record("k", str(n).encode()) for n in range(count)])

    assert [position.offset for position in positions] == list(range(5, 5 + count))


def test_records_that_are_not_delivered_are_counted(kafka: FakeKafka, lone: KafkaTopic) -> None:
    kafka.undeliverable = KafkaError(KafkaError._MSG_TIMED_OUT)
    with pytest.raises(Unavailable, match="lone: 2 of 2 records were not delivered"):
        lone.append([Record("k", b"1"), Record("k", b"2")])


def test_appending_keeps_a_producer_until_it_fails(
    kafka: FakeKafka, lone: KafkaTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = topic(kafka, lone.name, timeout_seconds=2)
    opened: list[None] = []
    open_one = again.brokers.producer

    def counted(**config: Any) -> Producer:
        opened.append(None)
        return open_one(**config)

    monkeypatch.setattr(again.brokers, "producer", counted)
    for _ in range(3):
        again.append([Record("k", b"1")])
    assert len(opened) == 1
    kafka.undeliverable = KafkaError(KafkaError._MSG_TIMED_OUT)
    with pytest.raises(Unavailable):
        again.append([Record("k", b"2")])
    kafka.undeliverable = None
    again.append([Record("k", b"3")])
    assert len(opened) == 2


def test_reading_starts_at_the_offset_or_the_first_record(
    kafka: FakeKafka, lone: KafkaTopic
) -> None:
    assert values(list(lone.read(0))) == [0, 1, 2, 3, 4]
    assert values(list(lone.read(0, 4))) == [4]
    assert values(list(lone.read(0, 5))) == []
    assert values(list(lone.read(0, 9))) == []
    kafka.delete_before("lone", 0, 3)
    assert values(list(lone.read(0, 1))) == [3, 4]
    kafka.delete_before("lone", 0, 5)
    assert values(list(lone.read(0, 1))) == []


def test_reading_ends_at_the_end_of_the_moment_it_began(kafka: FakeKafka, lone: KafkaTopic) -> None:
    def append_more(request: str) -> None:
        if request == "list_offsets":
            seen.append(request)
            if len(seen) == 2:  # after the ends have been fetched
                kafka.logs["lone"][0].entries.append(Entry(b"k", b"5"))

    seen: list[str] = []
    kafka.on_request = append_more
    assert values(list(lone.read(0))) == [0, 1, 2, 3, 4]


def test_transaction_markers_are_not_waited_for(kafka: FakeKafka, lone: KafkaTopic) -> None:
    kafka.logs["lone"][0].entries.append(Entry(marker=True))
    assert values(list(lone.read(0))) == [0, 1, 2, 3, 4]
    assert values(list(lone.read(0, 5))) == []


def test_several_partitions_are_read_to_their_ends(records: KafkaTopic) -> None:
    positions = records.append(Record(key, b"") for key in "abcdefgh")
    by_partition = {p: [at for at in positions if at.partition == p] for p in (0, 1)}
    assert all(len(found) > 1 for found in by_partition.values())

    found = [from_message(message).position for message in records.messages({0: 1, 1: 0})]

    assert sorted(found, key=str) == sorted([*by_partition[0][1:], *by_partition[1]], key=str)


def test_a_partition_that_is_read_to_its_end_does_not_end_the_others(records: KafkaTopic) -> None:
    positions = records.append(Record(key, b"") for key in "abcdefgh")
    ends = records.end_offsets()
    found = [from_message(m).position for m in records.messages({0: ends[0], 1: 0})]
    assert found == [at for at in positions if at.partition == 1]


def test_brokers_that_fall_silent_while_reading_are_an_outage(
    kafka: FakeKafka, lone: KafkaTopic
) -> None:
    kafka.silent_after = 3
    reading = lone.read(0)
    assert values([next(reading) for _ in range(3)]) == [0, 1, 2]
    with pytest.raises(Unavailable, match="stopped answering"):
        next(reading)
    assert kafka.silent_consumes == 3, "a second each, until more than the timeout"


def test_an_error_while_reading_is_raised(kafka: FakeKafka, lone: KafkaTopic) -> None:
    kafka.events.append(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(Misconfigured, match="refuses"):
        list(lone.read(0))


@pytest.mark.parametrize(
    "code",
    [KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError._NOENT],
)
def test_metadata_is_refreshed_when_a_leader_is_not_known(
    kafka: FakeKafka, lone: KafkaTopic, code: int
) -> None:
    """Otherwise the client would not ask for minutes."""
    assert lone.partitions == 1
    requests: list[str] = []
    kafka.on_request = requests.append
    kafka.errors["list_offsets"].append(KafkaError(code))
    assert lone.end_offsets() == {0: 5}
    assert requests == ["list_offsets", "list_topics", "list_offsets"]
    assert not lone.brokers.down


def test_metadata_that_cannot_be_refreshed_is_asked_for_again(
    kafka: FakeKafka, lone: KafkaTopic
) -> None:
    assert lone.partitions == 1
    kafka.errors["list_offsets"].append(KafkaError(KafkaError._NOENT))
    kafka.errors["list_topics"].append(KafkaError(KafkaError._TRANSPORT))
    assert lone.end_offsets() == {0: 5}


def test_other_errors_of_offsets_do_not_refresh_the_metadata(
    kafka: FakeKafka, lone: KafkaTopic
) -> None:
    assert lone.partitions == 1
    requests: list[str] = []
    kafka.on_request = requests.append
    kafka.errors["list_offsets"].append(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(Misconfigured):
        lone.end_offsets()
    assert requests == ["list_offsets"]


def test_a_missing_topic_is_to_be_created(kafka: FakeKafka) -> None:
    with pytest.raises(Misconfigured, match=r"there is no topic absent .*looksync topics create"):
        assert topic(kafka, "absent").partitions


def test_a_refused_connection_is_reported_as_such(kafka: FakeKafka) -> None:
    """The request times out; the reason arrives through the error callback."""
    kafka.down = True
    kafka.connection_errors.append(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    with pytest.raises(Misconfigured, match="wrong password"):
        assert topic(kafka, "in").partitions


def test_each_read_closes_its_consumer(kafka: FakeKafka, lone: KafkaTopic) -> None:
    reading = lone.read(0)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    list(lone.read(0))
    assert kafka.open_consumers == 0


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (Entry(b"k", None), ("k", b"", {}, "the value is null (a tombstone)")),
        (Entry(None, b"v"), ("", b"v", {}, "the key is null")),
        (Entry(b"\xff", b"v", [("h", b"1")]), ("\udcff", b"v", {"h": "1"}, "the key is not UTF-8")),
    ],
)
def test_an_unparseable_line_is_read_as_malformed(
    kafka: FakeKafka, lone: KafkaTopic, entry: Entry, expected: tuple[str, bytes, object, str]
) -> None:
    kafka.logs["lone"][0].entries.append(entry)
    *_, found = lone.read(0)
    assert isinstance(found, MalformedRecord)
    assert (found.key, found.value, found.headers, found.problem) == expected
    assert found.position == Position("lone", 0, 5)


def test_bytes_that_are_not_text_survive_a_copy(kafka: FakeKafka, lone: KafkaTopic) -> None:
    headers: list[tuple[str, str | bytes | None]] = [
        ("a", b"\xff\x00"),
        ("b", None),
        ("c", b"\xe9"),
    ]
    kafka.logs["lone"][0].entries.append(Entry(b"\xfe", b"\x00", headers))
    *_, found = lone.read(0)

    lone.append([Record(found.key, found.value, found.headers)])

    copy = kafka.logs["lone"][0].entries[-1]
    assert (copy.key, copy.value) == (b"\xfe", b"\x00")
    assert copy.headers == [("a", b"\xff\x00"), ("b", b""), ("c", b"\xe9")]


def test_a_lone_surrogate_from_json_can_be_written(kafka: FakeKafka, lone: KafkaTopic) -> None:
    lone.append([Record("\ud800", b"v")])
    assert kafka.logs["lone"][0].entries[-1].key == "\ud800".encode(errors="surrogatepass")
