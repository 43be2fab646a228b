"""The health of a running flow, from its own work.

There are no separate probes: a flow's calls show which service is unavailable, and a probe could
succeed where the real calls fail (docs/decisions/094).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from operators.streaming.engine.gate import Gate
from operators.streaming.engine.keyed_calls import Wait
from operators.streaming.health.metrics import FlowMetrics
from schemas.health import FlowHealth, Lag, PartAway

STALLED_SECONDS = 60.0
"""A flow is not alive when its engine or event loop made no progress for this long; both do so
each second."""
TOPIC_SECONDS = 5.0
"""A longer read or write means that the topic is unavailable; normally it takes milliseconds."""
LOOP_CHECK_SECONDS = 1.0


class TopicUse:
    """The start of the running read or write, if any. Entered for each one, so it must be cheap."""

    __slots__ = ("_clock", "since", "topic")

    def __init__(self, topic: str, clock: Callable[[], float]) -> None:
        self.topic = topic
        self.since: float | None = None
        self._clock = clock

    def __enter__(self) -> None:
        self.since = self._clock()

    def __exit__(self, *_: object) -> None:
        self.since = None


class Health:
    """Collects the progress and outages of one flow. Thread-safe."""

    def __init__(
        self,
        flow: str,
        gate: Gate,
        metrics: FlowMetrics,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flow = flow
        self._gate = gate
        self._metrics = metrics
        self._stop = stop
        self._clock = clock
        self._started_at: float | None = None
        self._ended = False
        self._source_at: float | None = None
        self._epoch_at: float | None = None
        self._loop_at: float | None = None
        self._uses: list[TopicUse] = []
        self._waits: list[Callable[[], Sequence[Wait]]] = []
        self._outages: dict[str, Callable[[], tuple[float, str] | None]] = {}

    def started(self) -> None:
        """Note that the flow is built; from now on the engine has to make progress."""
        self._started_at = self._clock()

    def source_moved(self) -> None:
        """Note that the engine has asked the source for records."""
        self._source_at = self._clock()

    def source_ended(self) -> None:
        """Note that the source has ended; draining may take any time."""
        self._ended = True

    def epoch_ended(self) -> None:
        """Note that a snapshot of the source has been taken."""
        self._source_at = self._epoch_at = self._clock()

    def use_of(self, topic: str) -> TopicUse:
        """A context to enter around each read or write of ``topic``, in one thread."""
        use = TopicUse(topic, self._clock)
        self._uses.append(use)
        return use

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note each second that ``loop`` runs; call it on the loop."""
        self._loop_at = self._clock()
        loop.call_later(LOOP_CHECK_SECONDS, self.watch_loop, loop)

    def watch_waits(self, waits: Callable[[], Sequence[Wait]]) -> None:
        """Include ``waits``: the calls that wait for an unavailable service."""
        self._waits.append(waits)

    def watch_topics(self, part: str, outage: Callable[[], tuple[float, str] | None]) -> None:
        """Include ``outage``: the start (time.monotonic()) and error of an outage of the topics'
        server, which no item's call reports; None: no outage."""
        self._outages[part] = outage

    def now(self) -> FlowHealth:
        """The flow's health now."""
        now = self._clock()
        stopping, reported = self._stop.is_set(), self._reported(now)
        away = self._parts_away(now, reported)
        alive = self._alive(now, engine_may_wait=stopping or self._ended or bool(reported))
        return FlowHealth(
            flow=self._flow,
            started=self._started_at is not None,
            stopping=stopping,
            alive=alive,
            ready=self._source_at is not None and alive and not stopping and not away,
            away=away,
            degraded=tuple(
                sample.labels["part"]
                for family in self._metrics.breaker_open.collect()
                for sample in family.samples
                if sample.value
            ),
            paused=self._gate.paused,
            in_flight=self._gate.inside,
            epoch_age=_age(self._epoch_at, now),
            source_age=_age(self._source_at, now),
            loop_age=_age(self._loop_at, now),
            lag=tuple(
                Lag(
                    topic=sample.labels["topic"],
                    partition=sample.labels["partition"],
                    value=sample.value,
                )
                for gauge in (self._metrics.lag_bytes, self._metrics.lag_records)
                for family in gauge.collect()
                for sample in family.samples
            ),
        )

    def _alive(self, now: float, *, engine_may_wait: bool) -> bool:
        if self._started_at is None:
            return True  # loading a model may block the loop for any time
        progress = [self._loop_at]
        if not engine_may_wait:
            progress.append(self._source_at or self._started_at)
        return all(at is not None and now - at <= STALLED_SECONDS for at in progress)

    def _reported(self, now: float) -> dict[str, tuple[float, str]]:
        """Services that the engine waits for: name -> start of the outage, error."""
        reported = {part: away for part, ask in self._outages.items() if (away := ask())}
        for use in self._uses:
            if (since := use.since) is not None and now - since > TOPIC_SECONDS:
                why = f"a read or write of {use.topic} does not end"
                reported[use.topic] = since, why
        return reported

    def _parts_away(
        self, now: float, reported: dict[str, tuple[float, str]]
    ) -> tuple[PartAway, ...]:
        waits: defaultdict[str, list[Wait]] = defaultdict(list)
        for watched in self._waits:
            for wait in watched():
                waits[wait.part].append(wait)
        return tuple(
            self._part_away(part, waits[part], reported.get(part), now)
            for part in sorted(waits.keys() | reported.keys())
        )

    def _part_away(
        self, part: str, waits: Sequence[Wait], reported: tuple[float, str] | None, now: float
    ) -> PartAway:
        seen = [(wait.since, wait.why) for wait in waits] + ([reported] if reported else [])
        seconds = now - min(since for since, _ in seen)
        return PartAway(
            part=part,
            since=datetime.now(UTC) - timedelta(seconds=seconds),
            seconds=round(seconds, 3),
            waiting=len(waits),
            why=max(seen)[1],
        )


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else round(now - at, 3)
