"""Writing catalog.changes in the catalog flow's place, while that flow is kept from running.

One machine's flow is kept out by the lock on its recovery folder and, once the job has begun, by a
note there; flows on Kafka by a reservation in their consumer group. Both outlive a killed job:
between its death and its next start, a product may have a new vector and an old ledger entry, and
no packet may be applied to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataflows.flow_lock import begin_job, end_job, lock_flow
from dataflows.jobs.bulk.checkpoint import Checkpoint
from dataflows.jobs.bulk.run import ChangeWriter
from dataflows.wiring.topics import open_topic
from operators.streaming.files.topic import FileTopic
from operators.streaming.kafka.reservation import Reservation
from operators.streaming.kafka.topic import KafkaTopic
from schemas.records import Record
from schemas.settings import Settings

FLOW = "catalog"


@contextmanager
def keep_catalog_stopped(settings: Settings, folder: Path) -> Iterator[None]:
    """Keep this machine's catalog flow, and other jobs, from running meanwhile.

    Raises Misconfigured when one runs, or another job than that in ``folder`` is not finished.
    """
    with lock_flow(FLOW, settings.stream.recovery_folder / FLOW, folder.resolve()):
        yield


@contextmanager
def change_writer(
    settings: Settings, checkpoint: Checkpoint, folder: Path
) -> Iterator[ChangeWriter]:
    """The writer of the job in ``folder``; call it under :func:`keep_catalog_stopped`.

    No catalog flow can start until the checkpoint is settled when the body ends. Raises
    Misconfigured when a flow on another machine is running, or was killed (Kafka).
    """
    recovery, topics = settings.stream.recovery_folder / FLOW, settings.topics
    updates, changes = open_topic(topics, topics.updates), open_topic(topics, topics.changes)
    begin_job(recovery, folder.resolve())
    try:
        if isinstance(updates, KafkaTopic) and isinstance(changes, KafkaTopic):
            with _reserved(updates, changes, folder, checkpoint) as writer:
                yield writer
        else:
            assert isinstance(changes, FileTopic), "both are of the configured kind"
            yield _FileWriter(changes)
    finally:
        if checkpoint.settled:
            end_job(recovery)


@dataclass(frozen=True, slots=True)
class _FileWriter:
    """The flow's lock holds as long as this process lives."""

    changes: FileTopic

    def check(self) -> None:
        return None

    def publish(self, records: Sequence[Record]) -> None:
        self.changes.append_between_runs(records)


@dataclass(frozen=True, slots=True)
class _KafkaWriter:
    changes: KafkaTopic
    reservation: Reservation

    def check(self) -> None:
        self.reservation.check()

    def publish(self, records: Sequence[Record]) -> None:
        self.check()
        self.changes.append(records)


@contextmanager
def _reserved(
    updates: KafkaTopic, changes: KafkaTopic, folder: Path, checkpoint: Checkpoint
) -> Iterator[_KafkaWriter]:
    group = f"{updates.brokers.settings.group_prefix}.{FLOW}"
    job = f"the bulk-index job {checkpoint.run} in {folder.resolve()}"
    reservation = Reservation(updates, group, job)
    try:
        reservation.make()
        try:
            yield _KafkaWriter(changes, reservation)
        finally:
            if checkpoint.settled:
                reservation.end()
    finally:
        reservation.close()
