"""Failures inside the client library, with its own mock cluster."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from operators.streaming.kafka.producer import RaisingProducer

FENCED = KafkaException(KafkaError(KafkaError._FENCED, "fenced off", fatal=True))


def producer(failure: SystemError, cause: BaseException | None) -> RaisingProducer:
    """One whose delivery report fails as the interpreter does after a fatal error."""

    def report(*_: object) -> None:
        raise failure from cause

    made = RaisingProducer(
        {
            "test.mock.num.brokers": 1,
            "bootstrap.servers": "127.0.0.1:1",
            "log_level": 0,
            "on_delivery": report,
        }
    )
    made.produce("a", b"record")
    return made


@pytest.mark.parametrize("call", ["flush", "poll"])
@pytest.mark.parametrize(
    ("cause", "code"), [(FENCED, KafkaError._FENCED), (None, KafkaError._FATAL)]
)
def test_a_fatal_error_is_a_kafka_exception_even_where_the_client_loses_it(
    call: str, cause: BaseException | None, code: int
) -> None:
    failing = producer(SystemError("returned a result with an exception set"), cause)
    with pytest.raises(KafkaException) as raised:
        getattr(failing, call)(10.0)
    error = raised.value.args[0]
    assert error.code() == code
    assert error.fatal()
