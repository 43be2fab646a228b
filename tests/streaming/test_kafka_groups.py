"""What is reported of the flows' consumer groups."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.groups import GroupReport, forgotten_positions, group_report
from schemas.errors import Misconfigured
from schemas.records import Record
from schemas.settings import KafkaSettings, TopicSettings
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import GROUP, Process, topic


@pytest.fixture
def kafka(kafka: FakeKafka) -> FakeKafka:
    """With ten records in the only partition of "lone"."""
    kafka.create("lone", 1)
    topic(kafka, "lone").append([Record("k", str(n).encode()) for n in range(10)])
    return kafka


def output(kafka: FakeKafka, name: str = "lone", **settings: bool) -> GroupReport:
    report = group_report(topic(kafka, name, **settings), GROUP)
    assert kafka.open_consumers == len(kafka.groups[GROUP].members) * 3, "its own are closed"
    return report


def test_a_flow_that_has_never_run(kafka: FakeKafka) -> None:
    assert output(kafka) == GroupReport("flow: has not read lone yet")


def test_processes_and_what_they_have_to_do(kafka: FakeKafka) -> None:
    first, second = Process(kafka, "a"), Process(kafka, "b")
    for process in (first, second, first, second):
        process.step()
    assert output(kafka, "in") == GroupReport("flow: 2 processes, 30 records of in to be handled")


def test_a_stopped_flow(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    process.step()
    process.take()
    for _ in range(6):
        process.start()
        process.finish()
    process.stop()
    assert output(kafka) == GroupReport("flow: no process runs, 4 records of lone to be handled")


def test_partitions_that_nobody_reads(kafka: FakeKafka) -> None:
    Process(kafka, name="lone")
    kafka.logs["lone"] += [*kafka.logs["in"][:2]]  # the group has not noticed
    (problem,) = output(kafka).problems
    assert problem.startswith("flow: none of its 1 processes reads the partitions 1, 2 of lone")


def test_partitions_that_move_are_not_stated(kafka: FakeKafka) -> None:
    Process(kafka, "a")
    Process(kafka, "b")
    assert output(kafka, "in").problems == ()


def test_a_topic_that_was_replaced_is_told_once(kafka: FakeKafka) -> None:
    process = Process(kafka)
    process.work()
    process.stop()
    kafka.create("in", 3)
    (problem,) = output(kafka, "in").problems
    assert "the topic was replaced" in problem
    assert f"--delete --group {GROUP}" in problem


def test_positions_on_another_cluster(kafka: FakeKafka) -> None:
    Process(kafka, name="lone").stop()
    kafka.cluster_id = "cluster-b"
    (problem,) = output(kafka).problems
    assert "is one on Kafka cluster cluster-a, and this is cluster cluster-b" in problem


def test_records_that_were_deleted_unread(kafka: FakeKafka) -> None:
    Process(kafka, name="lone").stop()
    kafka.delete_before("lone", 0, 4)
    report = output(kafka)
    (problem,) = report.problems
    assert "records 0 to 3 (4 records) were deleted" in problem
    assert report.summary.endswith("6 records of lone to be handled")
    assert output(kafka, accept_gaps=True).problems == ()


def test_a_position_beyond_the_end(kafka: FakeKafka) -> None:
    kafka.offsets[GROUP, "lone", 0] = (11, "")
    report = output(kafka)
    assert "lone/0 ends at 10, before offset 11" in report.problems[0]
    assert report.summary.endswith("0 records of lone to be handled")


def test_a_missing_right_is_stated(kafka: FakeKafka) -> None:
    kafka.errors["describe_consumer_groups"].append(
        KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    )
    with pytest.raises(Misconfigured, match="the user's rights"):
        output(kafka)


@pytest.mark.parametrize(
    ("minutes", "hours", "output"), [("60", 1, False), ("60", 2, True), (None, 168, False)]
)
def test_positions_are_kept_as_long_as_records(
    kafka: FakeKafka, minutes: str | None, hours: float, output: bool
) -> None:
    if minutes is not None:
        kafka.broker_config["offsets.retention.minutes"] = minutes
    settings = TopicSettings(kafka=KafkaSettings(retention_hours=hours))
    problems = forgotten_positions(Brokers(settings, kafka))
    assert bool(problems) == output
    assert all("offsets.retention.minutes is 60" in problem for problem in problems)
