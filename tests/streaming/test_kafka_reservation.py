"""A job that works in the flow's place keeps the flow from starting, even when it was killed."""

from __future__ import annotations

import pytest

from operators.streaming.kafka.progress import Commit, Progress
from operators.streaming.kafka.reservation import CHECK_SECONDS, Reservation
from schemas.errors import Misconfigured
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import GROUP, IN, Clock, Process, topic


def reservation(kafka: FakeKafka, job: str = "job 1", clock: Clock | None = None) -> Reservation:
    return Reservation(topic(kafka, IN), GROUP, job, (clock or Clock()).monotonic)


def commits(kafka: FakeKafka) -> list[Commit]:
    return [Commit.parse(*kafka.offsets[GROUP, IN, partition]) for partition in range(3)]


def test_the_flow_starts_again_where_it_was(kafka: FakeKafka) -> None:
    flow = Process(kafka)
    flow.step()
    flow.take()
    flow.start()
    flow.finish()
    flow.stop()
    left = [commit.progress for commit in commits(kafka)]

    job = reservation(kafka)
    job.make()
    with pytest.raises(Misconfigured, match="job 1 works in the flow's place"):
        Process(kafka, "b")
    kafka.expire(GROUP, "b")
    job.end()

    assert [commit.progress for commit in commits(kafka)] == left
    Process(kafka, "c")


def test_a_killed_job_goes_on_and_another_does_not(kafka: FakeKafka) -> None:
    reservation(kafka).make()
    with pytest.raises(Misconfigured, match="job 1 works in the flow's place"):
        reservation(kafka, "job 2").make()
    reservation(kafka).make()


def test_a_job_does_not_start_beside_the_flow(kafka: FakeKafka) -> None:
    Process(kafka)
    with pytest.raises(Misconfigured, match="a process of the flow is running"):
        reservation(kafka).make()


def test_a_killed_flow_is_fenced_off(kafka: FakeKafka) -> None:
    Process(kafka)
    kafka.expire(GROUP, "a")
    epoch = kafka.producer_epochs["flow.a"]
    reservation(kafka).make()
    assert kafka.producer_epochs["flow.a"] == epoch + 1


def test_a_reservation_that_is_gone_is_noticed(kafka: FakeKafka) -> None:
    clock = Clock()
    job = reservation(kafka, clock=clock)
    job.make()
    kafka.offsets.clear()
    job.check()
    clock.now += CHECK_SECONDS
    with pytest.raises(Misconfigured, match="the reservation for job 1 is gone"):
        job.check()


def test_a_group_without_commits_is_reserved_from_the_first_records(kafka: FakeKafka) -> None:
    kafka.delete_before(IN, 1, 2)
    reservation(kafka).make()
    assert [commit.progress for commit in commits(kafka)] == [
        Progress(0),
        Progress(2),
        Progress(0),
    ]
