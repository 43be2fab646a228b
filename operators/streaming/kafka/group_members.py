"""The members of a consumer group as its coordinator shows them."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConsumerGroupDescription

from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.membership import Membership
from schemas.errors import Misconfigured


def described_group(brokers: Brokers, name: str) -> ConsumerGroupDescription | None:
    """The group's state and members; None: it is unknown.

    Raises Misconfigured when the brokers refuse to answer, Unavailable when they do not.
    """

    def request() -> ConsumerGroupDescription | None:
        answer = brokers.admin.describe_consumer_groups(
            [name], request_timeout=brokers.settings.timeout_seconds
        )
        try:
            described: ConsumerGroupDescription = answer[name].result()
            return described
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            raise

    return brokers.retry(request)


def require_own_instance(brokers: Brokers, membership: Membership) -> None:
    """Raise Misconfigured when another process is in the group under this one's static id.

    Kafka gives a static id to whoever joined last. A broker that was paused handles the joins of
    this process that it had not answered when it goes on, each in place of the one before, and
    then tells the process that it was fenced off. The client id of the member that is left shows
    whose join that was. Raises Unavailable when the brokers do not answer.
    """
    group = described_group(brokers, membership.group)
    for member in group.members if group is not None else ():
        if member.group_instance_id != membership.instance:
            continue
        if member.client_id != membership.client_id:
            raise Misconfigured(
                f"{membership.group}: another process has joined as {membership.instance} "
                f"(from {member.host}): give each process its own stream.instance"
            )
