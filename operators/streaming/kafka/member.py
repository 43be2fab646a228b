"""This process as a member of the flow's consumer group.

One thread polls the consumer and commits the transactions, so that the group's callbacks and the
commits never overlap. Kafka moves partitions; before one is released, its calls in progress are
awaited for ``drain_seconds``, and what has not been called is left, as pending, to its next owner.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog
from confluent_kafka import TopicPartition

from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.clock import Clock
from operators.streaming.kafka.common_end import CommonEnd
from operators.streaming.kafka.group_consumer import GroupConsumer
from operators.streaming.kafka.handover import GroupCommits, Handover, Start
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.membership import Membership, SourceMetrics
from operators.streaming.kafka.positions import Positions
from operators.streaming.kafka.reader import POLL_SECONDS
from operators.streaming.kafka.topic import KafkaTopic
from operators.streaming.kafka.transactions import Transactions
from schemas.errors import LookSyncError, Unavailable

log = structlog.get_logger()

PROGRESS_SECONDS = 1.0
"""Time between commits without outputs: the greatest age of the lag that autoscalers see."""
LAG_SECONDS = 1.0
IDENTITY_SECONDS = 10.0
"""How often the topic is asked for: a topic that was replaced is not read for longer."""
RETRY_SECONDS = 0.05
"""Pause after a transaction that was aborted."""
RELEASE_SECONDS = 5.0
"""How long a partition's last commit is tried. The next owner fences this process off after it."""
CANCEL_SECONDS = 1.0
"""How long a cancelled call may take to end."""


class Member:
    """Reads the partitions that the group assigns, and commits what is handled."""

    def __init__(
        self,
        topic: KafkaTopic,
        membership: Membership,
        inputs: Inputs,
        metrics: SourceMetrics,
        clock: Clock = time,
    ) -> None:
        self.topic = topic
        self.inputs = inputs
        self.metrics = metrics
        self.clock = clock
        self.cancel_given_up: Callable[[], None] = lambda: None
        """Cancels the calls of records that were given up; for any thread."""
        self._brokers: Brokers = topic.brokers
        self._commits = commits = GroupCommits(topic, membership.group)
        self._positions = Positions(topic, membership.group, commits.consumer)
        self._handover = Handover(commits, membership.owner, self._positions, metrics)
        self._group = GroupConsumer(topic, membership, inputs, self._handover, clock)
        self._transactions = Transactions(
            commits,
            membership.owner,
            inputs,
            lambda: self._group.consumer.consumer_group_metadata(),
            clock,
            metrics.meter,
        )
        self._failure: BaseException | None = None
        self._leaving = threading.Event()
        self._uncommitted = False
        """Outputs were not committed before the process left the group."""
        self._joined = False
        self._end: CommonEnd | None = None
        self._next_commit = self._next_lag = self._next_identity = 0.0
        self._thread = threading.Thread(target=self._run, name="kafka-member", daemon=True)

    def open(self) -> None:
        """Fence off an earlier process of this name, and join the group.

        Raises Unavailable or Misconfigured.
        """
        self._transactions.identity = self.topic.identity()
        self._transactions.open()
        self._group.join(self._on_assign, self._on_revoke, self._on_lost)

    def start(self) -> None:
        """Open it, and poll it in a thread of its own until leave()."""
        self.open()
        self._thread.start()

    def check(self) -> None:
        """Raise what has ended the membership."""
        if self._failure is not None:
            raise self._failure

    def end_at(self, ends: dict[int, int]) -> None:
        """Set the offsets that ``at_end`` compares with; call it before start()."""
        self._end = CommonEnd(self._commits, self.inputs, ends)

    @property
    def at_end(self) -> bool:
        """Whether the group has handled everything before the ends, but for what is in flight here.

        What other processes have handled is known within a second.
        """
        return self._joined and self._end is not None and self._end.reached

    def leave(self) -> None:
        """Commit what is handled, leave the rest to the others, and leave the group.

        Raises Unavailable when Kafka does not answer: what is not committed is handled again.
        """
        self._leaving.set()
        if self._thread.ident is not None:
            self._thread.join()
        else:
            self.close()
        self.check()
        if self._uncommitted:
            raise Unavailable(
                f"{self.topic.name}: Kafka at {self._brokers.addresses} does not answer; records "
                "that are not committed are handled after the next start"
            )

    def step(self) -> None:
        """Read what there is, and commit what is due."""
        now = self.clock.monotonic()
        self._group.read(0.0 if self.inputs.handled else POLL_SECONDS)
        self._commit_when_due()
        if now >= self._next_lag:
            self._next_lag = now + LAG_SECONDS
            self.metrics.lag(self._group.reader.lag())
            if self._end is not None:
                self._end.ask_for_others()
        if now >= self._next_identity:
            self._next_identity = now + IDENTITY_SECONDS
            self._require_same_topic()

    def close(self) -> None:
        """Leave the group now."""
        try:
            if self._failure is None:
                self._unsubscribe()
        finally:
            self._group.consumer.close()
            self._commits.close()

    def _unsubscribe(self) -> None:
        self._group.consumer.unsubscribe()
        until = self.clock.monotonic() + RELEASE_SECONDS + CANCEL_SECONDS
        self._group.consumer.poll(POLL_SECONDS)
        while self.inputs.assigned and self.clock.monotonic() < until:
            self.clock.sleep(POLL_SECONDS)
            self._group.consumer.poll(POLL_SECONDS)

    def _run(self) -> None:
        """The body of the thread."""
        for stage in (self._step_until_leaving, self.close):
            try:
                stage()
            except LookSyncError as error:
                self._failure = self._failure or error
            except BaseException as error:
                log.exception("reading from kafka failed")
                self._failure = self._failure or error

    def _step_until_leaving(self) -> None:
        while not self._leaving.is_set():
            self.step()

    def _commit_when_due(self) -> None:
        now = self.clock.monotonic()
        progress = now >= self._next_commit or self.inputs.needs_commit
        if not (self.inputs.handled or progress) or not self.inputs.assigned:
            return
        if not self._transactions.commit(outputs_only=not progress):
            self.clock.sleep(RETRY_SECONDS)
        elif progress:
            self._next_commit = now + PROGRESS_SECONDS

    def _require_same_topic(self) -> None:
        assert self._transactions.identity is not None, "opened"
        with suppress(Unavailable):
            self._positions.require_unchanged(self._transactions.identity)

    def _on_assign(self, partitions: list[TopicPartition]) -> None:
        numbers = [at.partition for at in partitions]
        starts = self._take_unless_leaving(numbers)
        if starts is None:  # nothing was taken: the next owner takes over from the one before
            self._group.consumer.incremental_assign(partitions)
            return
        for partition, start in starts.items():
            self.inputs.assign(partition, start.state, start.suspects)
        self._transactions.forget(numbers)
        self._group.reader.assign(
            {partition: start.state.offset for partition, start in starts.items()}
        )
        # The next commit claims them. Not awaited: the group may have moved on, as a poll tells.
        self._next_commit = self.clock.monotonic()
        self._joined = True
        if numbers:
            log.info("partitions assigned", topic=self.topic.name, partitions=sorted(numbers))

    def _on_revoke(self, partitions: list[TopicPartition]) -> None:
        numbers = [at.partition for at in partitions]
        if self._failure is not None:
            self._group.consumer.incremental_unassign(partitions)
            return
        self.inputs.close(numbers)
        self._drain(numbers)
        if not self._try_commit(RELEASE_SECONDS, ended=numbers):
            self._note_uncommitted()
            log.warning("partitions released without a commit", partitions=numbers)
        self._forget(numbers)
        if numbers:
            log.info("partitions released", topic=self.topic.name, partitions=sorted(numbers))

    def _on_lost(self, partitions: list[TopicPartition]) -> None:
        """Others may read ``partitions`` already, as after this process was suspended."""
        numbers = [at.partition for at in partitions]
        log.warning("partitions lost", topic=self.topic.name, partitions=sorted(numbers))
        self._note_uncommitted()
        self._handover.survive(numbers)
        self.inputs.give_up(numbers)
        self.cancel_given_up()
        self._forget(numbers)

    def _note_uncommitted(self) -> None:
        """Note that outputs were not committed; leave() reports it, but not of a running member."""
        if self._leaving.is_set() and self.inputs.handled:
            self._uncommitted = True

    def _drain(self, partitions: Collection[int]) -> None:
        """Wait for the calls that have started; cancel those that take too long."""
        seconds = 0.0 if self._leaving.is_set() else self._brokers.settings.drain_seconds
        if not self._await_idle(partitions, seconds):
            self.inputs.give_up(partitions)
            self.cancel_given_up()
            self._await_idle(partitions, CANCEL_SECONDS)

    def _await_idle(self, partitions: Collection[int], seconds: float) -> bool:
        until = self.clock.monotonic() + seconds
        while True:
            if self.inputs.handled:
                self._transactions.commit()
            if not self.inputs.busy(partitions):
                return True
            if self.clock.monotonic() >= until:
                return False
            self.clock.sleep(POLL_SECONDS / 2)

    def _try_commit(self, seconds: float, ended: Collection[int] = ()) -> bool:
        until = self.clock.monotonic() + seconds
        while not self._transactions.commit(ended=ended):
            if self.clock.monotonic() > until:
                return False
            self.clock.sleep(RETRY_SECONDS)
        return True

    def _take_unless_leaving(self, numbers: list[int]) -> dict[int, Start] | None:
        """Where to read from, however long an outage takes; None once the process leaves."""
        identity = self._transactions.identity
        assert identity is not None, "opened"
        while not self._leaving.is_set():
            with suppress(Unavailable):
                return self._handover.take(numbers, identity)
            self._leaving.wait(1.0)
        return None

    def _forget(self, partitions: Collection[int]) -> None:
        self.inputs.release(partitions)
        self._transactions.forget(partitions)
        self._group.reader.unassign(partitions)
