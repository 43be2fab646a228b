"""Which process reads which partitions: claimed at the start, kept while it runs, handed on.

The owner of a partition is written in the metadata of the flow's consumer group (kafka_progress).
A start claims its partitions under a transactional id that all processes of the group share: of
two that start at once the broker lets only the later one commit, and the other asks again. So a
partition never gets a second owner unseen. Who owns it commits, about once a second, what has
become durable, and looks each time whether it still is the owner; when it has not been able to
look for a while, it writes nothing until it has.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from operators.streaming.engine.recovery import RecoveryStore
from operators.streaming.kafka.progress import Commit, Progress
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured, Unavailable

log = structlog.get_logger()

COMMIT_EVERY = 1.0
"""Seconds between commits: as old as the lag that autoscalers see may be."""
ANSWER_WITHIN = 5.0
"""Seconds in which an owner waits for an answer before it says that there is an outage."""
ASSURED_FOR = 10.0
"""Seconds after which an owner that could not look whether it still is one writes nothing."""
SEEN_ALIVE_AFTER = 15.0
"""Seconds that a forced take-over watches the owner for: more than ASSURED_FOR, so that an owner
that is cut off has stopped writing."""

_MOVING = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    }
)
"""A group's coordinator is being found, as after the first question about groups that a new cluster
is ever asked: it answers in a moment."""


class Ownership:
    """The partitions of ``topic`` that this process reads for consumer group ``group``."""

    def __init__(
        self, topic: KafkaTopic, group: str, partitions: Sequence[int], store: RecoveryStore
    ) -> None:
        self.topic = topic
        self.partitions = frozenset(partitions)
        self._group = group
        self._store = store
        self._brokers = topic.brokers
        self._timeout = topic.brokers.settings.timeout_seconds
        self._consumer = topic.brokers.consumer(group)
        self._progress: dict[int, Progress] = {}
        self._beat = 0
        self._assured = 0.0
        self._lost: Misconfigured | None = None
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="kafka-commits", daemon=True)

    def claim(self) -> None:
        """Become the owner of the partitions. To be called once, before anything is read.

        A recovery store that others have gone on from is renewed. Raises Misconfigured when
        another process owns one of them, or its owner ended without a word.
        """
        longest = 0.5
        while not self._claimed():
            # Others claim in this moment; the more of them, the longer apart they have to be.
            time.sleep(random.uniform(0.1, longest))
            longest = min(10.0, 2 * longest)
        self._assured = time.monotonic()
        self._keeper.start()

    def start(self, partition: int) -> Progress:
        """Where a recovery store that knows nothing of ``partition`` goes on."""
        return self._progress[partition]

    def advance(self, partition: int, progress: Progress) -> None:
        """``progress`` is durable; it is committed in a moment, on another thread."""
        self._progress[partition] = progress

    def handled(self, partition: int, offset: int) -> bool:
        """Whether everything up to ``offset`` has been handled, durably."""
        return offset < self._progress[partition].committed

    def check(self) -> None:
        """Raises Misconfigured when another process has become the owner."""
        if self._lost is not None:
            raise self._lost

    @property
    def assured(self) -> bool:
        """Whether this process was the owner a moment ago, and so nobody else can be by now."""
        return time.monotonic() - self._assured < ASSURED_FOR

    def end(self, progress: dict[int, Progress]) -> None:
        """Commit ``progress``, which is final, and let others go on from there."""
        self._stop_keeper()
        self._progress.update(progress)
        self.check()
        self._renew(ended=True)
        self.check()

    def close(self) -> None:
        self._stop_keeper()
        self._consumer.close()

    def _stop_keeper(self) -> None:
        self._closing.set()
        if self._keeper.is_alive():
            self._keeper.join()

    def _claimed(self) -> bool:
        """False: another process claimed something meanwhile."""
        claims = self._brokers.producer(
            **{
                "transactional.id": f"{self._group}.claims",
                "transaction.timeout.ms": 10_000,
                "delivery.timeout.ms": 10_000,
            }
        )
        try:
            with self._brokers.asked():
                claims.init_transactions(self._timeout)
            commits = self._admitted(self._commits(self._timeout))
            with self._brokers.asked():
                claims.begin_transaction()
                claims.send_offsets_to_transaction(
                    self._offsets(commits), self._consumer.consumer_group_metadata(), self._timeout
                )
                claims.commit_transaction(self._timeout)
        except (Misconfigured, Unavailable) as error:
            if _is_fenced(error.__cause__):
                return False
            raise
        self._progress = {partition: commit.progress for partition, commit in commits.items()}
        return True

    def _admitted(self, commits: dict[int, Commit | None]) -> dict[int, Commit]:
        """What is to be committed as ours, when the present owners let us."""
        others = {
            partition: commit
            for partition, commit in commits.items()
            if commit is not None and commit.store != self._store.id
        }
        alive = [partition for partition, commit in others.items() if not commit.ended]
        if alive:
            self._take_over(alive, others)
        if others and self._store.used:
            foreign = [partition for partition, commit in others.items() if not commit.store]
            if foreign or len(others) < sum(commit is not None for commit in commits.values()):
                raise Misconfigured(
                    f"{self._group}: of partitions {sorted(others)} the committed offsets were "
                    "set by others since this flow's last run here: put them back, or remove the "
                    "flow's recovery folder to go on from them"
                )
            log.info("others have gone on from here, beginning a new recovery store")
            self._store.renew()
        firsts = self._first_offsets([p for p, commit in commits.items() if commit is None])
        return {
            partition: Commit(
                Progress(firsts[partition]) if commit is None else commit.progress,
                self._store.id,
                0,
                ended=False,
            )
            for partition, commit in commits.items()
        }

    def _take_over(self, alive: list[int], others: dict[int, Commit]) -> None:
        """Raises Misconfigured unless the settings force it and the owners show no life."""
        if not self._brokers.settings.take_over:
            raise Misconfigured(
                f"{self._group}: another process reads partitions {alive} of {self.topic.name}, "
                "or has been killed and is to be started again as it was (same stream.processes, "
                "stream.ordinal and recovery folder) and stopped by SIGTERM. If it never comes "
                "back, set topics.kafka.take_over = true for one start"
            )
        log.warning("taking over, if the owner shows no life", partitions=alive)
        time.sleep(SEEN_ALIVE_AFTER)
        for partition, commit in self._commits(self._timeout).items():
            if partition in alive and commit != others[partition]:
                raise Misconfigured(
                    f"{self._group}: the process that reads partition {partition} of "
                    f"{self.topic.name} is alive: stop it first"
                )

    def _commits(self, timeout: float) -> dict[int, Commit | None]:
        """As they stand in the group; None: nothing was ever committed."""
        with self._brokers.asked():
            committed = self._committed(timeout)
            for answer in committed:
                if answer.error is not None:
                    raise KafkaException(answer.error)
        return {
            answer.partition: Commit.parse(answer.offset, answer.metadata)
            if answer.offset >= 0
            else None
            for answer in committed
        }

    def _committed(self, timeout: float) -> list[TopicPartition]:
        until = time.monotonic() + timeout
        while True:
            try:
                return self._consumer.committed(
                    [TopicPartition(self.topic.name, p) for p in sorted(self.partitions)],
                    timeout=timeout,
                )
            except KafkaException as raised:
                if raised.args[0].code() not in _MOVING or time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def _first_offsets(self, partitions: list[int]) -> dict[int, int]:
        with self._brokers.asked():
            return {
                partition: self._consumer.get_watermark_offsets(
                    TopicPartition(self.topic.name, partition), timeout=self._timeout
                )[0]
                for partition in partitions
            }

    def _keep(self) -> None:
        """The thread: commits, and looks whether this process still is the owner."""
        while not self._closing.wait(COMMIT_EVERY) and self._lost is None:
            try:
                self._renew(ended=False)
            except (Unavailable, Misconfigured) as error:
                # An outage, or a refusal that began while we ran: nothing is written meanwhile.
                log.warning("commit failed, trying again", error=str(error))

    def _renew(self, *, ended: bool) -> None:
        asked = time.monotonic()
        commits = self._commits(ANSWER_WITHIN)
        for partition, commit in commits.items():
            if commit is None or commit.store != self._store.id:
                self._lost = Misconfigured(
                    f"{self._group}: another process has taken over partition {partition} of "
                    f"{self.topic.name}; this one stops and leaves it the work"
                )
                return
        self._assured = asked
        self._beat += 1
        progress = dict(self._progress)
        ours = {
            partition: Commit(progress[partition], self._store.id, self._beat, ended)
            for partition in self.partitions
        }
        with self._brokers.asked():
            self._consumer.commit(offsets=self._offsets(ours), asynchronous=False)

    def _offsets(self, commits: dict[int, Commit]) -> list[TopicPartition]:
        return [
            TopicPartition(self.topic.name, partition, commit.progress.committed, commit.metadata())
            for partition, commit in commits.items()
        ]


def _is_fenced(error: BaseException | None) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in (
        KafkaError._FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.CONCURRENT_TRANSACTIONS,
    )
