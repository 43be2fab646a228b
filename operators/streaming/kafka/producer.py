"""The client library's producer, with each of its failures as a KafkaException."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException


class RaisingProducer(confluent_kafka.Producer):
    """A producer whose fatal errors (fenced off, records out of order) are KafkaExceptions.

    confluent-kafka 2.16 raises such an error inside the interpreter and then calls the waiting
    delivery reports. The first of them that Python notices it in fails, and the call ends with a
    SystemError: caused by the fatal error, or, where a report has happened to clear it, by nothing.
    """

    def poll(self, timeout: float = -1, /) -> int:
        """Serve delivery reports for up to ``timeout`` seconds; their number."""
        with _as_kafka_exceptions():
            return super().poll(timeout)

    def flush(self, timeout: float = -1, /) -> int:
        """Wait up to ``timeout`` seconds for all records; the number of those undelivered."""
        with _as_kafka_exceptions():
            return super().flush(timeout)

    def commit_transaction(self, timeout: float = -1, /) -> None:
        """Commit the open transaction within ``timeout`` seconds."""
        with _as_kafka_exceptions():
            super().commit_transaction(timeout)

    def abort_transaction(self, timeout: float = -1, /) -> None:
        """Abort the open transaction within ``timeout`` seconds."""
        with _as_kafka_exceptions():
            super().abort_transaction(timeout)


@contextmanager
def _as_kafka_exceptions() -> Iterator[None]:
    try:
        yield
    except SystemError as raised:
        cause = raised.__cause__
        if isinstance(cause, KafkaException):
            raise cause from None
        raise KafkaException(
            KafkaError(KafkaError._FATAL, "the client does not say what failed", fatal=True)
        ) from raised
