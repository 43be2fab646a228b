"""Which errors are an outage of Kafka, which an answer, and which a refusal."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr
from structlog.testing import capture_logs

from operators.streaming.kafka.brokers import Brokers
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import KafkaSettings, TopicSettings
from tests.streaming.fake_kafka import FakeKafka


def brokers(timeout_seconds: float) -> Brokers:
    """Brokers whose clock advances by a second at each reading."""
    seconds = count(100)
    return Brokers(
        TopicSettings(kafka=KafkaSettings(timeout_seconds=timeout_seconds)),
        clock=lambda: float(next(seconds)),
    )


def old_epoch() -> KafkaException:
    return KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH, "old epoch"))


def test_a_transient_answer_is_retried_and_is_not_an_outage() -> None:
    reached, outages = brokers(10), []
    answers = [old_epoch(), old_epoch(), None]

    def request() -> str:
        outages.append(reached.outage)
        if (problem := answers.pop(0)) is not None:
            raise problem
        return "answer"

    assert reached.retry(request) == "answer"
    assert outages == [None, None, None]


def test_transient_answers_beyond_the_timeout_are_an_outage() -> None:
    reached = brokers(0.3)

    def request() -> str:
        raise old_epoch()

    with pytest.raises(Unavailable, match="old epoch"):
        reached.retry(request)
    assert reached.down


def test_an_outage_lasts_from_the_first_missing_answer_to_the_next_answer() -> None:
    reached = brokers(10)
    for problem in ("first", "second", "third"):
        with pytest.raises(Unavailable), reached.reporting_outages(retried=True):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, problem, retriable=True))
        assert reached.outage is not None
        since, why = reached.outage
        assert (since, why) == (100, problem)

    with reached.reporting_outages():
        pass

    assert not reached.down


def test_a_refusal_is_not_retried() -> None:
    reached, calls = brokers(10), []

    def request() -> str:
        calls.append(1)
        raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    with pytest.raises(Misconfigured, match="refuses: Broker: Topic authorization failed; check"):
        reached.retry(request)
    assert len(calls) == 1


def client_config(**settings: Any) -> dict[str, Any]:
    """What a client is created with."""
    kafka = FakeKafka()
    connect(kafka, **settings).consumer("group")
    return kafka.configs[-1]


def connect(kafka: FakeKafka, **settings: Any) -> Brokers:
    return Brokers(TopicSettings(brokers=("a:1", "b:2"), kafka=KafkaSettings(**settings)), kafka)


def test_a_producer_delivers_once_and_to_all_replicas() -> None:
    kafka = FakeKafka()
    connect(kafka, delivery_timeout_seconds=7.5).producer(**{"linger.ms": 50})
    config = kafka.configs[-1]
    assert config["enable.idempotence"] is True
    assert config["acks"] == "all"
    assert config["delivery.timeout.ms"] == 7500
    assert config["partitioner"] == "murmur2_random"
    assert config["linger.ms"] == 50, "the caller's own"


def test_a_producer_accepts_what_the_topics_accept() -> None:
    kafka = FakeKafka()
    connect(kafka).producer()
    limit = kafka.configs[-1]["message.max.bytes"]
    assert KafkaSettings().max_record_bytes < limit <= 10**9, "the most that librdkafka accepts"


def test_a_consumer_leaves_offsets_to_its_user() -> None:
    kafka = FakeKafka()
    connect(kafka).consumer("group", **{"enable.partition.eof": True})
    config = kafka.configs[-1]
    assert config["group.id"] == "group"
    assert config["enable.auto.commit"] is False
    assert config["enable.auto.offset.store"] is False
    assert config["allow.auto.create.topics"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["enable.partition.eof"] is True


def test_clients_connect_to_all_brokers() -> None:
    config = client_config()
    assert config["bootstrap.servers"] == "a:1,b:2"
    assert not [name for name in config if name.startswith(("ssl.", "sasl."))]


def test_an_encrypted_connection_uses_the_given_files(tmp_path: Path) -> None:
    authority, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    authority.touch()
    key.touch()
    config = client_config(
        security_protocol="SSL", ca_file=authority, key_file=key, key_password=SecretStr("secret")
    )
    assert config["security.protocol"] == "SSL"
    assert {
        name: value for name, value in config.items() if name.startswith(("ssl.", "sasl."))
    } == {
        "ssl.ca.location": str(authority),
        "ssl.key.location": str(key),
        "ssl.key.password": "secret",
    }


def test_a_user_authenticates_with_or_without_encryption() -> None:
    user = {"username": "me", "password": SecretStr("secret"), "sasl_mechanism": "PLAIN"}
    sasl = {"sasl.mechanism": "PLAIN", "sasl.username": "me", "sasl.password": "secret"}
    for protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
        config = client_config(security_protocol=protocol, **user)
        assert {n: v for n, v in config.items() if n.startswith(("ssl.", "sasl."))} == sasl


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    with pytest.raises(Misconfigured, match=r"topics.kafka.certificate_file: there is no file .*"):
        client_config(security_protocol="SSL", certificate_file=absent)


@pytest.mark.parametrize(
    "create",
    [
        lambda brokers: brokers.admin,
        lambda brokers: brokers.consumer("group"),
        lambda brokers: brokers.producer(),
    ],
)
def test_a_configuration_that_the_client_refuses_is_named(
    create: Callable[[Brokers], object],
) -> None:
    kafka = FakeKafka()
    kafka.errors["create"].append(KafkaError(KafkaError._INVALID_ARG, "no such property"))
    with pytest.raises(Misconfigured, match=r"topics.kafka: .*no such property"):
        create(connect(kafka))


def test_a_refusal_explains_later_timeouts_until_there_is_an_answer() -> None:
    kafka = FakeKafka()
    reached = connect(kafka)
    reached.consumer("group")
    report = kafka.configs[-1]["error_cb"]
    report(KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED, "wrong password"))
    assert not reached.down
    timed_out = KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))
    with pytest.raises(Misconfigured, match="wrong password"), reached.reporting_outages():
        raise timed_out

    reached.note_answer()

    with pytest.raises(Unavailable, match="timed out"), reached.reporting_outages():
        raise timed_out


def test_only_the_loss_of_all_brokers_is_an_outage() -> None:
    kafka = FakeKafka()
    reached = connect(kafka)
    reached.consumer("group")
    report = kafka.configs[-1]["error_cb"]
    report(KafkaError(KafkaError._TRANSPORT, "one broker"))
    assert not reached.down
    report(KafkaError(KafkaError._ALL_BROKERS_DOWN, "all brokers"))
    assert reached.outage is not None
    assert "all brokers" in reached.outage[1]


def test_begin_and_end_of_an_outage_are_logged_once() -> None:
    reached = brokers(10)
    with capture_logs() as logs:
        reached.note_answer()
        for _ in range(3):
            reached.note_outage(KafkaError(KafkaError._TRANSPORT))
        for _ in range(3):
            reached.note_answer()
    assert [line["event"] for line in logs] == [
        "kafka does not answer, waiting",
        "kafka answers again",
    ]


def test_a_future_without_a_result_in_time_is_an_outage() -> None:
    reached = brokers(10)
    with pytest.raises(Unavailable, match="no answer in time"), reached.reporting_outages():
        raise TimeoutError
    assert reached.down


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._NOENT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    ],
)
def test_a_leader_or_coordinator_is_waited_for(code: int) -> None:
    """The admin client's errors do not say that they can be retried."""
    reached, answers = brokers(10), [KafkaError(code), None]

    def request() -> str:
        if (problem := answers.pop(0)) is not None:
            raise KafkaException(problem)
        return "answer"

    assert reached.retry(request) == "answer"


def test_what_is_not_transient_is_not_retried() -> None:
    reached, calls = brokers(10), []

    def request() -> str:
        calls.append(1)
        raise KafkaException(KafkaError(KafkaError._FAIL, "broken"))

    with pytest.raises(Unavailable, match="broken"):
        reached.retry(request)
    assert len(calls) == 1
    assert reached.down


def test_a_transient_answer_that_is_not_retried_is_an_outage() -> None:
    reached = brokers(10)
    with pytest.raises(Unavailable), reached.reporting_outages():
        raise old_epoch()
    assert reached.down


def test_the_client_library_accepts_our_configuration() -> None:
    """It checks names and values when a client is created, before it connects."""
    reached = Brokers(TopicSettings(brokers=("127.0.0.1:1",)))
    assert isinstance(reached.producer(), confluent_kafka.Producer)
    assert isinstance(reached.consumer("group"), confluent_kafka.Consumer)
    assert isinstance(reached.admin, AdminClient)
