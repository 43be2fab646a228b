"""Whether a group has handled a topic to given ends, where the processes of a run --once stop."""

from __future__ import annotations

import structlog

from operators.streaming.kafka.handover import GroupCommits
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.rules import has_reached
from schemas.errors import Unavailable

log = structlog.get_logger()


class CommonEnd:
    """Compares what the group has handled with ``ends``: per partition, the offset to reach."""

    def __init__(self, commits: GroupCommits, inputs: Inputs, ends: dict[int, int]) -> None:
        self._commits = commits
        self._inputs = inputs
        self._ends = ends
        self._handled_by_all: dict[int, int] = {}
        """Per partition, the committed offset that was last asked for."""

    @property
    def reached(self) -> bool:
        """Whether everything before the ends is handled, but for what is in flight here."""
        return has_reached({**self._handled_by_all, **self._inputs.offsets()}, self._ends)

    def ask_for_others(self) -> None:
        """Ask what the others have handled once this process has done its own."""
        if not has_reached({**self._ends, **self._inputs.offsets()}, self._ends):
            return
        try:
            self._handled_by_all = {
                partition: commit.progress.committed
                for partition, commit in self._commits.latest(list(self._ends)).items()
            }
        except Unavailable as error:
            log.debug("the group's offsets are unknown", error=str(error))
