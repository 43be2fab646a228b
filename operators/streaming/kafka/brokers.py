"""How the brokers are reached: client configurations, and what their errors mean.

librdkafka retries by itself whatever can pass: an outage is no error but a silence. What is told
here is the silence at the start (Unavailable), and what no waiting repairs (Misconfigured).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from schemas.errors import Misconfigured, Unavailable
from schemas.settings import KafkaSettings, TopicSettings

log = structlog.get_logger()

Answer = TypeVar("Answer")

_REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError._INVALID_ARG,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)
"""Errors that only another setting, or another right, takes away."""

OLD_EPOCH = (KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH)
"""A partition has been given a leader anew since the client heard of it, as after a restart."""


class Brokers:
    """The Kafka cluster that the settings name; makes its clients. Threads may share it."""

    def __init__(self, topics: TopicSettings) -> None:
        self.settings: KafkaSettings = topics.kafka
        self.names = ",".join(topics.brokers)
        self._outage: tuple[float, str] | None = None
        self._problem: KafkaError | None = None
        """Why the brokers refuse; told by whoever asks next, as their own error is a silence."""
        self._lock = threading.Lock()

    @property
    def outage(self) -> tuple[float, str] | None:
        """Since when (time.monotonic()) the brokers do not answer, and why; None: they do, as far
        as was heard."""
        return self._outage

    @property
    def down(self) -> bool:
        """Whether the last that was heard of the brokers is that they do not answer."""
        return self._outage is not None

    def answered(self) -> None:
        """To be called after an answer: it ends an outage."""
        with self._lock:
            before, self._outage, self._problem = self._outage, None, None
        if before is not None:
            log.info("kafka answers again", brokers=self.names)

    def silent(self, error: KafkaError) -> None:
        """To be called when a question was not answered: it begins an outage."""
        with self._lock:
            before = self._outage
            self._outage = (before[0] if before else time.monotonic(), str(error))
        if before is None:
            log.warning("kafka does not answer, waiting", brokers=self.names, error=str(error))

    @cached_property
    def admin(self) -> AdminClient:
        """One for all: it takes longer to connect than to be answered."""
        with self._configured():
            return AdminClient(self._config())

    def consumer(self, group: str, **config: Any) -> Consumer:
        """A consumer that commits nothing by itself, and fails where its offset is gone."""
        with self._configured():
            return Consumer(
                self._config()
                | {
                    "group.id": group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "allow.auto.create.topics": False,
                    # Read ahead a moment's work, not librdkafka's 64 MB per partition; and look
                    # for room often, not once a second, or the short queue would run dry.
                    "queued.min.messages": 2000,
                    "queued.max.messages.kbytes": 8192,
                    "fetch.queue.backoff.ms": 5,
                }
                | config
            )

    def producer(self, **config: Any) -> Producer:
        """A producer that delivers each record once and in order, or says that it could not."""
        with self._configured():
            return Producer(
                self._config()
                | {
                    "enable.idempotence": True,
                    "acks": "all",
                    "delivery.timeout.ms": int(1000 * self.settings.delivery_timeout_seconds),
                    "partitioner": "murmur2_random",  # as Java's: a key has one partition for all
                    "compression.type": "lz4",
                    "linger.ms": 5,
                    # The topic decides what is too large, not a second limit here.
                    "message.max.bytes": 64 * 2**20,
                }
                | config
            )

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """The answer to ``question``, asked again for ``timeout_seconds`` while that can help.

        Raises Misconfigured or Unavailable when there is none.
        """
        until = time.monotonic() + self.settings.timeout_seconds
        while True:
            again = time.monotonic() < until
            try:
                with self.asked(again=again):
                    return question()
            except Unavailable as error:
                if not (again and _passes(error.__cause__)):
                    raise
                time.sleep(0.2)

    @contextmanager
    def asked(self, *, again: bool = False) -> Iterator[None]:
        """Around a question that must be answered: Misconfigured or Unavailable when it is not.

        ``again``: it is asked again where that can help, so that a broker's "not now" (no leader
        yet, an old epoch, a group that is being loaded) is an answer, and no outage.
        """
        try:
            yield
        except KafkaException as raised:
            explained = self.explained(self._problem or raised.args[0])
            not_now = again and _passes(raised) and raised.args[0].code() > 0  # below: our client's
            if isinstance(explained, Unavailable) and not not_now:
                self.silent(raised.args[0])
            raise explained from raised
        except TimeoutError as raised:  # of the admin client's futures
            timed_out = KafkaError(KafkaError._TIMED_OUT, "no answer in time")
            self.silent(timed_out)
            raise self.explained(timed_out) from raised
        self.answered()

    def explained(self, error: KafkaError) -> Misconfigured | Unavailable:
        """What ``error`` means, and what to do about it."""
        if error.code() in _REFUSED:
            return Misconfigured(
                f"Kafka at {self.names} refuses: {error}; see topics.kafka and the rights there"
            )
        return Unavailable(
            f"Kafka at {self.names} does not answer ({error}): start it, or set topics.brokers"
        )

    @contextmanager
    def _configured(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise Misconfigured(f"topics.kafka: {error.args[0]}") from error

    def _config(self) -> dict[str, Any]:
        kafka = self.settings
        config: dict[str, Any] = {
            "bootstrap.servers": self.names,
            "security.protocol": kafka.security_protocol,
            "client.id": "looksync",
            "enable.metrics.push": False,
            "log_level": 2,  # what matters comes through error_cb, once per outage
            "error_cb": self._on_error,
            "reconnect.backoff.max.ms": 2000,  # back within 2 s of the brokers, not 10
            "socket.keepalive.enable": True,
        }
        if kafka.security_protocol in ("SSL", "SASL_SSL"):
            config |= _given(
                {
                    "ssl.ca.location": _there("ca_file", kafka.ca_file),
                    "ssl.certificate.location": _there("certificate_file", kafka.certificate_file),
                    "ssl.key.location": _there("key_file", kafka.key_file),
                    "ssl.key.password": kafka.key_password
                    and kafka.key_password.get_secret_value(),
                }
            )
        if kafka.security_protocol.startswith("SASL"):
            config |= _given(
                {
                    "sasl.mechanism": kafka.sasl_mechanism,
                    "sasl.username": kafka.username,
                    "sasl.password": kafka.password and kafka.password.get_secret_value(),
                }
            )
        return config

    def _on_error(self, error: KafkaError) -> None:
        """On whatever thread polls a client."""
        if error.code() in _REFUSED:
            if self._problem is None:
                log.error("kafka refuses", brokers=self.names, error=str(error))
            self._problem = error
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.silent(error)


def _passes(error: BaseException | None) -> bool:
    """Whether the same question may have an answer in a moment."""
    if not isinstance(error, KafkaException):
        return False
    passing = {KafkaError._NOENT, *OLD_EPOCH}  # _NOENT: no leader, as while a broker comes back
    return bool(error.args[0].retriable() or error.args[0].code() in passing)


def _there(setting: str, file: Path | None) -> str | None:
    if file is not None and not file.is_file():
        raise Misconfigured(f"topics.kafka.{setting}: there is no file {file}")
    return None if file is None else str(file)


def _given(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value is not None}
