"""Keeps a flow from running while a job works in its place.

The reservation is in the metadata of the flow's commits, so that it outlives a killed job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from operators.streaming.kafka.stopped_group import StoppedGroup
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured

CHECK_SECONDS = 5.0


class Reservation:
    """The partitions of ``topic`` that consumer group ``group`` reads, reserved for ``job``."""

    def __init__(
        self, topic: KafkaTopic, group: str, job: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._group = StoppedGroup(topic, group)
        self._job = job
        self._clock = clock
        self._checked = 0.0

    def make(self) -> None:
        """Reserve all partitions. Raises Misconfigured while the flow, or another job, runs."""
        found = self._group.take_over()
        others = {commit.reserved for commit in found.values()} - {"", self._job}
        if others:
            raise Misconfigured(
                f"{self._group.name}: {', '.join(sorted(others))} works in the flow's place, or "
                "was stopped in the middle: run it again until it ends"
            )
        self._group.commit(
            {p: replace(commit, ended=True, reserved=self._job) for p, commit in found.items()}
        )
        self._checked = self._clock()

    def check(self) -> None:
        """Raise Misconfigured when the reservation is gone; asks every few seconds."""
        if self._clock() - self._checked < CHECK_SECONDS:
            return
        found = self._group.latest()
        if any(p not in found or found[p].reserved != self._job for p in self._group.partitions):
            raise Misconfigured(
                f"{self._group.name}: the reservation for {self._job} is gone: another tool has "
                "reset or deleted the consumer group"
            )
        self._checked = self._clock()

    def end(self) -> None:
        """Let the flow run again, from where it was."""
        found = self._group.latest()
        self._group.commit({p: replace(commit, reserved="") for p, commit in found.items()})

    def close(self) -> None:
        self._group.close()
