"""What errors of Kafka's brokers and of its client mean."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import Misconfigured

REFUSED = frozenset(
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
"""Errors that only another setting or another right can remove."""

LEADER_UNKNOWN = frozenset(
    {
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError._NOENT,
        KafkaError._UNKNOWN_PARTITION,
    }
)
"""The client does not know the present leader of a partition, as after a broker's restart. It would
not ask for minutes by itself (librdkafka issue 5430)."""

_TRANSIENT = LEADER_UNKNOWN | {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_ENOUGH_REPLICAS,
}
"""What Kafka's protocol calls retriable. The admin client's errors do not say so themselves."""


def is_transient(error: BaseException | None) -> bool:
    """Whether the same request may succeed in a moment."""
    if not isinstance(error, KafkaException):
        return False
    return bool(error.args[0].retriable() or error.args[0].code() in _TRANSIENT)


def refused_write(error: KafkaError) -> Misconfigured | None:
    """Why no retry can write the records; None: ``error`` does not say so."""
    if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
        return Misconfigured(
            "a record is larger than its topic accepts: raise the topic's max.message.bytes "
            "(`looksync topics check` shows the value)"
        )
    if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
        return Misconfigured(
            "a topic that this flow writes has been deleted: run `looksync topics create`"
        )
    return None
