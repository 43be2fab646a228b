"""What counts as an outage of Kafka, and what as an answer."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from operators.streaming.kafka.brokers import Brokers
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import KafkaSettings, TopicSettings


def brokers(timeout_seconds: float) -> Brokers:
    return Brokers(TopicSettings(kafka=KafkaSettings(timeout_seconds=timeout_seconds)))


def not_now() -> KafkaException:
    return KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH, "old epoch"))


def test_a_broker_that_says_not_now_is_asked_again_and_is_not_away() -> None:
    asked, outages = brokers(10), []
    answers = [not_now(), not_now(), None]

    def question() -> str:
        outages.append(asked.outage)
        if (problem := answers.pop(0)) is not None:
            raise problem
        return "answer"

    assert asked.ask(question) == "answer"
    assert outages == [None, None, None]


def test_a_broker_that_says_not_now_for_too_long_is_away() -> None:
    asked = brokers(0.3)

    def question() -> str:
        raise not_now()

    with pytest.raises(Unavailable, match="old epoch"):
        asked.ask(question)
    assert asked.down


def test_silence_is_an_outage_until_there_is_an_answer() -> None:
    asked = brokers(10)
    with pytest.raises(Unavailable), asked.asked(again=True):
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, retriable=True))
    assert asked.down

    with asked.asked():
        pass

    assert not asked.down


def test_a_refusal_is_for_people_and_not_asked_again() -> None:
    asked, calls = brokers(10), []

    def question() -> str:
        calls.append(1)
        raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    with pytest.raises(Misconfigured, match="refuses"):
        asked.ask(question)
    assert len(calls) == 1
