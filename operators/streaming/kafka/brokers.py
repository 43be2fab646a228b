"""Access to the brokers: client configurations, and the meaning of their errors.

librdkafka retries transient errors itself, so an outage shows as a missing answer, not as an error.
This module reports missing answers at the start as Unavailable, and errors that only another
setting or right can remove as Misconfigured.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException

from operators.streaming.kafka.clients import Admin, Clients, ConfluentClients, Consumer, Producer
from operators.streaming.kafka.error_codes import LEADER_UNKNOWN, REFUSED, is_transient
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import KafkaSettings, TopicSettings

log = structlog.get_logger()

Answer = TypeVar("Answer")

_CLIENTS = ConfluentClients()


class Brokers:
    """The Kafka cluster that the settings name; creates its clients. Thread-safe."""

    def __init__(
        self,
        topics: TopicSettings,
        clients: Clients = _CLIENTS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings: KafkaSettings = topics.kafka
        self.addresses = ",".join(topics.brokers)
        self._clients = clients
        self._clock = clock
        self._outage: tuple[float, str] | None = None
        self._refusal: KafkaError | None = None
        """Why the brokers refuse: librdkafka reports it once, and lets later requests time out."""
        self._lock = threading.Lock()

    @property
    def outage(self) -> tuple[float, str] | None:
        """The outage's start (seconds of the clock) and latest error; None: no known outage."""
        return self._outage

    @property
    def down(self) -> bool:
        """Whether the brokers did not answer the latest request."""
        return self._outage is not None

    def note_answer(self) -> None:
        """End the outage, if there is one."""
        with self._lock:
            before, self._outage, self._refusal = self._outage, None, None
        if before is not None:
            log.info("kafka answers again", brokers=self.addresses)

    def note_outage(self, error: KafkaError) -> None:
        """Begin an outage, or update the error of the present one."""
        with self._lock:
            before = self._outage
            self._outage = (before[0] if before else self._clock(), error.str())
        if before is None:
            log.warning("kafka does not answer, waiting", brokers=self.addresses, error=error.str())

    @cached_property
    def admin(self) -> Admin:
        """Shared, because connecting takes longer than a request."""
        with self._configured():
            return self._clients.admin(self._config())

    def consumer(self, group: str, **config: Any) -> Consumer:
        """A consumer that does not commit automatically, and fails when its offset was deleted."""
        with self._configured():
            return self._clients.consumer(
                self._config()
                | {
                    "group.id": group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "allow.auto.create.topics": False,
                    # A short read-ahead queue instead of librdkafka's 64 MB per partition, refilled
                    # often instead of once a second, or it would run empty.
                    "queued.min.messages": 2000,
                    "queued.max.messages.kbytes": 8192,
                    "fetch.queue.backoff.ms": 5,
                }
                | config
            )

    def member(self, group: str, instance: str) -> Consumer:
        """A consumer that joins ``group`` under the static id ``instance``."""
        kafka = self.settings
        protocol: dict[str, Any] = {"group.protocol": kafka.group_protocol}
        if kafka.group_protocol == "classic":
            protocol |= {
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(1000 * kafka.session_timeout_seconds),
                "heartbeat.interval.ms": int(1000 * kafka.session_timeout_seconds / 4),
            }
        return self.consumer(
            group,
            **{
                "group.instance.id": instance,
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": 16384,  # one queue for all partitions
                # New partitions, and a topic that was replaced, are noticed within this time.
                "topic.metadata.refresh.interval.ms": 30_000,
            },
            **protocol,
        )

    def producer(self, **config: Any) -> Producer:
        """A producer that delivers each record once and in order, or reports a failure."""
        with self._configured():
            return self._clients.producer(
                self._config()
                | {
                    "enable.idempotence": True,
                    "acks": "all",
                    "delivery.timeout.ms": int(1000 * self.settings.delivery_timeout_seconds),
                    "partitioner": "murmur2_random",  # as in the Java client
                    "compression.type": "lz4",
                    "linger.ms": 5,
                    # The topic's own limit is the only one.
                    "message.max.bytes": 64 * 2**20,
                }
                | config
            )

    def transactional_producer(self, name: str, seconds: float, **config: Any) -> Producer:
        """A producer with the transactional id ``name``; each earlier one is fenced off, and its
        open transaction aborted.

        The brokers abort its own transactions after ``seconds``. Raises Misconfigured or
        Unavailable.
        """
        limit = int(1000 * seconds)
        producer = self.producer(
            **{
                "transactional.id": name,
                "transaction.timeout.ms": limit,
                "delivery.timeout.ms": limit,
            },
            **config,
        )
        self.retry(lambda: producer.init_transactions(self.settings.timeout_seconds))
        return producer

    def retry(self, request: Callable[[], Answer]) -> Answer:
        """Send ``request``, again for up to ``timeout_seconds`` while its errors are transient.

        Raises Misconfigured or Unavailable when it fails.
        """
        until = time.monotonic() + self.settings.timeout_seconds
        while True:
            retried = time.monotonic() < until
            try:
                with self.reporting_outages(retried=retried):
                    return request()
            except Unavailable as error:
                if not (retried and is_transient(error.__cause__)):
                    raise
                time.sleep(0.2)

    @contextmanager
    def reporting_outages(self, *, retried: bool = False) -> Iterator[None]:
        """Note whether the request inside was answered.

        ``retried``: the caller sends it again after a transient error. A broker that answers with
        such an error (no leader yet, an old epoch, a group being loaded) is then not an outage.
        Raises Misconfigured or Unavailable in place of the client's errors.
        """
        try:
            yield
        except KafkaException as raised:
            error = self.to_error(self._refusal or raised.args[0])
            # Codes of brokers are positive, those of our client negative.
            answered = retried and is_transient(raised) and raised.args[0].code() > 0
            if isinstance(error, Unavailable) and not answered:
                self.note_outage(raised.args[0])
            raise error from raised
        except TimeoutError as raised:  # from the admin client's futures
            timed_out = KafkaError(KafkaError._TIMED_OUT, "no answer in time")
            self.note_outage(timed_out)
            raise self.to_error(timed_out) from raised
        self.note_answer()

    def to_error(self, error: KafkaError) -> Misconfigured | Unavailable:
        """The user-facing error: what ``error`` means, and what to do about it."""
        if error.code() in REFUSED:
            return Misconfigured(
                f"Kafka at {self.addresses} refuses: {error.str()}; check topics.kafka and "
                "the user's rights"
            )
        return Unavailable(
            f"Kafka at {self.addresses} does not answer ({error.str()}): start it, or set "
            "topics.brokers"
        )

    @contextmanager
    def _configured(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise Misconfigured(f"topics.kafka: {error.args[0].str()}") from error

    def _config(self) -> dict[str, Any]:
        kafka = self.settings
        config: dict[str, Any] = {
            "bootstrap.servers": self.addresses,
            "security.protocol": kafka.security_protocol,
            "client.id": "looksync",
            "enable.metrics.push": False,
            "log_level": 2,  # error_cb logs errors, once per outage
            "error_cb": self._on_error,
            "reconnect.backoff.max.ms": 2000,  # reconnect within 2 s, not 10
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
        """Note an error; runs on the thread that polls the client."""
        if error.code() in REFUSED:
            if self._refusal is None:
                log.error("kafka refuses", brokers=self.addresses, error=error.str())
            self._refusal = error
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.note_outage(error)


def refreshing(
    client: Admin | Consumer, topic: str, timeout: float, request: Callable[[], Answer]
) -> Answer:
    """Send ``request`` about ``topic``; an unknown leader is known to ``client`` the next time."""
    try:
        return request()
    except KafkaException as error:
        if error.args[0].code() in LEADER_UNKNOWN:
            with suppress(KafkaException):
                client.list_topics(topic, timeout=timeout)
        raise


def _there(setting: str, file: Path | None) -> str | None:
    if file is not None and not file.is_file():
        raise Misconfigured(f"topics.kafka.{setting}: there is no file {file}")
    return None if file is None else str(file)


def _given(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value is not None}
