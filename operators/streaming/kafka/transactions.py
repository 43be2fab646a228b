"""Writes the outputs of handled records and the group's progress in one Kafka transaction.

Each transaction holds all outputs that are waiting when it begins, so that one output alone is
visible within one transaction's time, and many share its cost. It commits the group's offsets with
the member's generation: a process that has lost its partitions cannot commit, and what it wrote
is never visible to readers of committed records.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from operators.metering import Meter, unmetered
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.clients import Producer
from operators.streaming.kafka.clock import Clock
from operators.streaming.kafka.error_codes import refused_write
from operators.streaming.kafka.handover import GroupCommits
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.partition import Input
from operators.streaming.kafka.progress import Commit, TopicIdentity
from operators.streaming.kafka.records import header_bytes, key_bytes
from schemas.errors import Misconfigured, Unavailable
from schemas.records import Record

log = structlog.get_logger()

TRANSACTION_SECONDS = 10.0
"""After which the brokers abort a transaction that is neither ended nor fenced off."""
REQUEST_SECONDS = 5.0
"""For one step of a transaction; then it is aborted and begun again."""

_NOT_OURS = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
"""Delivery reports of records that an abort has dropped."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A transaction that may have been committed although no answer came."""

    inputs: list[Input]
    commits: dict[int, Commit]


class Transactions:
    """The transactions of one process. All methods are for the thread of the group's member."""

    def __init__(
        self,
        group: GroupCommits,
        owner: str,
        inputs: Inputs,
        membership: Callable[[], Any],
        clock: Clock = time,
        meter: Meter = unmetered,
    ) -> None:
        """``owner``: the process's transactional id; ``membership``: its consumer's metadata."""
        self._meter = meter
        self._group = group
        self._brokers: Brokers = group.topic.brokers
        self._owner = owner
        self._inputs = inputs
        self._membership = membership
        self._clock = clock
        self.identity: TopicIdentity | None = None
        """Of the topic that is read; part of each commit."""
        self._producer: Producer | None = None
        self._number = 0
        """Of the last transaction."""
        self._last: dict[int, Commit] = {}
        """Per partition, what was committed last."""
        self._uncertain: _Attempt | None = None
        self._failure: KafkaError | None = None
        """The first record of this transaction that was not delivered, and why."""
        self._failing_since: float | None = None

    def open(self) -> None:
        """Abort what an earlier process with this transactional id has left, and fence it off.

        Raises Unavailable or Misconfigured.
        """
        self._producer = self._brokers.transactional_producer(
            self._owner,
            TRANSACTION_SECONDS,
            **{
                "linger.ms": 0,
                "delivery.report.only.error": True,
                "on_delivery": self._on_failure,
            },
        )

    def forget(self, partitions: Collection[int]) -> None:
        """Forget what was committed for ``partitions``."""
        for partition in partitions:
            self._last.pop(partition, None)

    def commit(self, *, ended: Collection[int] = (), outputs_only: bool = False) -> bool:
        """Commit what has been handled; whether that succeeded.

        ``ended``: partitions that this process releases; ``outputs_only``: do nothing while no
        outputs are waiting. Raises Misconfigured when the brokers refuse for good, and Unavailable
        when no transaction has succeeded for ``delivery_timeout_seconds``.
        """
        try:
            if self._producer is None:
                self.open()
            if self._uncertain is not None:
                self._settle(self._uncertain)
            return self._commit(ended, outputs_only=outputs_only)
        except KafkaException as raised:
            self._abandon(raised.args[0])
        except Unavailable as error:
            log.debug("transaction not begun", error=str(error))
        self._note_failure()
        return False

    def _commit(self, ended: Collection[int], *, outputs_only: bool) -> bool:
        # Before the progress is taken: a member that has lost its partitions in between commits
        # with the generation that had them, which the brokers refuse.
        membership = self._membership()
        inputs, progress = self._inputs.prepare()
        if outputs_only and not any(held.outputs for held in inputs):
            return True
        self._number += 1
        commits = {
            partition: Commit(
                at,
                self._owner,
                self._number,
                ended=partition in ended,
                identity=self.identity,
                suspects=self._inputs.suspects(partition, ended=partition in ended),
            )
            for partition, at in progress.items()
        }
        changed = {p: commit for p, commit in commits.items() if self._is_news(p, commit)}
        if not inputs and not changed:
            return True
        with self._meter():
            self._write(inputs, changed, membership)
        self._inputs.committed(inputs, changed)
        self._last.update(changed)
        self._failing_since = None
        self._brokers.note_answer()
        return True

    def _write(self, inputs: list[Input], commits: dict[int, Commit], membership: Any) -> None:
        assert self._producer is not None, "opened"
        self._failure = None
        self._producer.begin_transaction()
        for held in inputs:
            for topic, record in held.outputs:
                self._produce(self._producer, topic, record)
        if self._producer.flush(REQUEST_SECONDS):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "records are not acknowledged"))
        self._check()
        offsets = [
            TopicPartition(self._group.topic.name, partition, at.progress.committed, at.metadata())
            for partition, at in commits.items()
        ]
        self._send_offsets(self._producer, offsets, membership)
        self._uncertain = _Attempt(inputs, commits)
        self._producer.commit_transaction(REQUEST_SECONDS)
        self._uncertain = None

    def _send_offsets(
        self, producer: Producer, offsets: list[TopicPartition], membership: Any
    ) -> None:
        """Add ``offsets`` to the transaction, on a thread of its own.

        librdkafka ignores the timeout of this call, and after a broker's restart it may never
        return (librdkafka issues 5456 and 5511). Then the thread keeps the producer, and the next
        transaction gets a new one.
        """
        sent: Future[None] = Future()

        def send() -> None:
            try:
                producer.send_offsets_to_transaction(offsets, membership, REQUEST_SECONDS)
            except BaseException as error:
                sent.set_exception(error)
            else:
                sent.set_result(None)

        threading.Thread(target=send, name="kafka-offsets", daemon=True).start()
        try:
            sent.result(REQUEST_SECONDS)
        except TimeoutError:
            self._producer = None
            raise KafkaException(
                KafkaError(KafkaError._TIMED_OUT, "the group's offsets are not acknowledged")
            ) from None

    def _produce(self, producer: Producer, topic: str, record: Record) -> None:
        until = self._clock.monotonic() + REQUEST_SECONDS
        while True:
            try:
                producer.produce(
                    topic,
                    value=record.value,
                    key=key_bytes(record),
                    headers=header_bytes(record),
                )
                return
            except BufferError:
                producer.poll(0.05)
                self._check()
                if self._clock.monotonic() > until:
                    raise KafkaException(
                        KafkaError(KafkaError._TIMED_OUT, "records are not acknowledged")
                    ) from None

    def _is_news(self, partition: int, commit: Commit) -> bool:
        last = self._last.get(partition)
        return last is None or replace(last, transaction=commit.transaction) != commit

    def _abandon(self, error: KafkaError) -> None:
        """End the transaction that met ``error`` without committing it.

        Raises Misconfigured when a retry would meet ``error`` again.
        """
        if self._failure is not None and error.code() != KafkaError._FENCED:
            error = self._failure
        try:
            self._report(error)
        finally:
            if self._uncertain is not None or not self._abort():
                # A new producer with the same id: the brokers end what the old one has begun.
                self._producer = None

    def _report(self, error: KafkaError) -> None:
        refusal = refused_write(error) or self._brokers.to_error(error)
        if isinstance(refusal, Misconfigured):
            raise refusal
        if error.retriable() or error.code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT):
            self._brokers.note_outage(error)
        if self._failing_since is None:
            log.info("transaction aborted, its records are written again", error=error.str())

    def _abort(self) -> bool:
        """Abort the transaction, whether that succeeded.

        An open one hides all later records of its partitions from readers of committed records.
        """
        if self._producer is None:
            return False
        try:
            self._producer.abort_transaction(REQUEST_SECONDS)
        except KafkaException as raised:
            log.debug("transaction not aborted", error=str(raised.args[0]))
            return False
        return True

    def _settle(self, attempt: _Attempt) -> None:
        """Find out whether ``attempt`` was committed; its producer has been fenced off."""
        found = self._group.stable(list(attempt.commits))
        if any(found[partition] == ours for partition, ours in attempt.commits.items()):
            self._inputs.committed(attempt.inputs, attempt.commits)
            self._last.update(attempt.commits)
        self._uncertain = None

    def _note_failure(self) -> None:
        now = self._clock.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > self._brokers.settings.delivery_timeout_seconds:
            raise Unavailable(
                f"Kafka at {self._brokers.addresses}: no transaction succeeded for "
                f"{now - self._failing_since:.0f} s; unwritten records are written after the next "
                "start"
            )

    def _on_failure(self, error: KafkaError | None, message: Message[bytes, bytes]) -> None:
        if error is not None and error.code() not in _NOT_OURS and self._failure is None:
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise KafkaException(self._failure)
