"""Concurrent calls with order per key: the asyncio side of a lane.

The effect of an attempt's error on its item:

    Rejected             Failed at once: the input can never succeed
    DeadlineExceeded     Failed at once: the attempt took longer than ``deadline_seconds``
    PictureUnavailable   retried with growing pauses; Failed after ``attempts`` attempts, or when
                         its host asks to be left alone for longer than these would take
    Unavailable,         retried with growing pauses until it succeeds. The item keeps its place in
    Misconfigured        the window, so an outage of a service fills the window, closes the gate
                         and holds the sources back; nothing is lost. Failed after
                         ``attempts_alone`` failures between which the service answered others
    MustStop             Failed; the lane stops the flow with its message
    KilledProcess        Failed without an attempt: the admission raises it
    anything else        Failed at once, stage "unexpected": a bug costs one item, not the flow

An item whose partition moves to another process ends as Withdrawn: it is called there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from operators.streaming.engine.admission import Admission
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.outcomes import Done, Failed, Outcome, Withdrawn
from schemas.errors import (
    DeadlineExceeded,
    KilledProcess,
    Misconfigured,
    MustStop,
    PictureUnavailable,
    Unavailable,
)

log = structlog.get_logger()

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Wait:
    """A call that waits for an unavailable service."""

    part: str
    """The error's reason."""
    since: float
    """time.monotonic() of the first attempt that did not reach the service."""
    why: str


Report = Callable[[Outcome[Item, Value]], None]
_Call = tuple[Item, str, Report[Item, Value]]
"""Item, key, and the callback for its outcome."""


class KeyedCalls(Generic[Item, Value]):
    """Calls ``handle`` on items: at most ``window`` at once, those of one key in order.

    Every item ends as Done, Failed or Withdrawn, whatever its call raises. Use it on ``loop``; only
    ``paused``, ``waits``, ``idle`` and ``stop_starting`` are for any thread.
    """

    def __init__(
        self,
        handle: Callable[[Item], Awaitable[Value]],
        key: Callable[[Item], str],
        policy: CallPolicy,
        loop: asyncio.AbstractEventLoop,
        admission: Admission[Item] | None = None,
    ) -> None:
        """``admission``: None: every item is this process's to handle."""
        self._handle = handle
        self.admission = admission
        self.loop = loop
        self.key = key
        self.policy = policy
        self._ready: deque[_Call[Item, Value]] = deque()
        self._behind: dict[str, deque[_Call[Item, Value]]] = {}
        """Per key with a running call, the calls queued behind it."""
        self._runners: set[asyncio.Task[None]] = set()
        self._starting = False
        """A runner has been created and has not run yet."""
        self._paused = 0
        self._waits: dict[asyncio.Task[None], Wait] = {}
        """Per runner, what its call waits for, until an attempt reaches the service."""
        self._deadlines: dict[asyncio.Task[None], float] = {}
        """Per runner, the deadline (loop time) of its call."""
        self._late: Counter[asyncio.Task[None]] = Counter()
        """Runners whose call was cancelled at its deadline."""
        self._begun: dict[asyncio.Task[None], float] = {}
        """Per runner, the loop time at which its item was first called; the oldest first."""
        self._calling: dict[asyncio.Task[None], Item] = {}
        """Per runner, the item that it calls."""
        self._withdrawn: set[asyncio.Task[None]] = set()
        """Runners whose call was cancelled because its item was given up."""
        self._watching = False
        self._stopping = False

    @property
    def paused(self) -> int:
        """Number of calls that wait for their next attempt."""
        return self._paused

    @property
    def oldest_seconds(self) -> float:
        """Age of the oldest call without an outcome, retries included; 0 without one."""
        begun = min(self._begun.copy().values(), default=None)
        return 0.0 if begun is None else self.loop.time() - begun

    @property
    def waits(self) -> list[Wait]:
        """The calls that wait for an unavailable service; not those that wait for a picture."""
        return list(self._waits.copy().values())

    @property
    def idle(self) -> bool:
        """Whether all calls that have started wait for their next attempt."""
        return len(self._runners) == self._paused

    def stop_starting(self) -> None:
        """Let the calls that have started finish, and start no others."""
        self._stopping = True

    def cancel_given_up(self) -> None:
        """Cancel the calls of items that have been given up."""
        assert self.admission is not None, "items are given up by their admission"
        for runner, item in self._calling.items():
            if self.admission.given_up(item) and runner not in self._withdrawn:
                self._withdrawn.add(runner)
                runner.cancel()

    def submit(self, item: Item, report: Report[Item, Value]) -> None:
        """Queue ``item``; call ``report`` once, on the loop, with its outcome."""
        key = self.key(item)
        behind = self._behind.get(key)
        if behind is None:
            self._behind[key] = deque()
            self._ready.append((item, key, report))
            self._start_runner()
        else:
            behind.append((item, key, report))

    def _start_runner(self) -> None:
        """Start a runner unless one is starting: a call that never suspends needs no second one."""
        one = self.admission is not None and self.admission.one_at_a_time
        if not self._starting and len(self._runners) < (1 if one else self.policy.window):
            self._starting = True
            runner = self.loop.create_task(self._run())
            self._runners.add(runner)
            if not self._watching:
                self._cancel_late_calls()

    async def _run(self) -> None:
        """Make calls one after another while some are ready."""
        self._starting = False
        runner = asyncio.current_task()
        assert runner is not None, "a coroutine of a task"
        try:
            while self._ready and not self._stopping:
                item, key, report = self._ready.popleft()
                if self._ready:
                    self._start_runner()
                self._begun[runner] = self.loop.time()
                outcome = await self._outcome(item, runner)
                self._waits.pop(runner, None)
                report(outcome)
                behind = self._behind[key]
                if behind:
                    self._ready.append(behind.popleft())
                else:
                    del self._behind[key]
        finally:
            # Here, not in a done callback: a submit in between must see that a runner is missing.
            self._runners.discard(runner)
            self._begun.pop(runner, None)

    async def _outcome(self, item: Item, runner: asyncio.Task[None]) -> Outcome[Item, Value]:
        if self.admission is None:
            return await self._attempts(item, runner)
        try:
            if not self.admission.start(item):
                return Withdrawn(item)
        except KilledProcess as error:
            return Failed(item, error, error.attempts)
        self._calling[runner] = item
        try:
            return await self._attempts(item, runner)
        except asyncio.CancelledError:
            if runner not in self._withdrawn:
                raise
            self.admission.withdrawn(item)
            return Withdrawn(item)
        finally:
            del self._calling[runner]
            if runner in self._withdrawn:
                self._withdrawn.discard(runner)
                runner.uncancel()

    async def _attempts(
        self, item: Item, runner: asyncio.Task[None]
    ) -> Done[Item, Value] | Failed[Item]:
        attempt, failures_alone = 0, 0
        served: dict[tuple[str, str], int] = {}
        while True:
            attempt += 1
            self._deadlines[runner] = self.loop.time() + self.policy.deadline_seconds
            try:
                return Done(item, await self._handle(item))
            except MustStop as error:
                return Failed(item, error, attempt)
            except PictureUnavailable as error:
                if self.policy.is_last(attempt, error):
                    return Failed(item, error, attempt)
                self._waits.pop(runner, None)
                self._log_retry(error, attempt)
            except (Unavailable, Misconfigured) as error:
                kind, count = error.served
                failures_alone += count > served.get((error.reason, kind), count)
                served[error.reason, kind] = count
                if failures_alone >= self.policy.attempts_alone:
                    return Failed(item, error, attempt)
                self._note_wait(runner, error)
                self._log_retry(error, attempt)
            except asyncio.CancelledError as error:
                if runner in self._late:
                    return Failed(item, self._deadline_exceeded(), attempt)
                if runner.cancelling():
                    raise  # given up, or the loop is closing; the item is called again
                return Failed(item, error, attempt)
            except BaseException as error:
                return Failed(item, error, attempt)
            finally:
                self._deadlines.pop(runner, None)
                for _ in range(self._late.pop(runner, 0)):
                    runner.uncancel()
            if runner in self._withdrawn:  # and the call has lost the cancellation
                raise asyncio.CancelledError
            await self._pause(attempt)

    def _note_wait(self, runner: asyncio.Task[None], error: Unavailable | Misconfigured) -> None:
        before = self._waits.pop(runner, None)
        same = before is not None and before.part == error.reason
        since = before.since if before is not None and same else time.monotonic()
        self._waits[runner] = Wait(error.reason, since, str(error))

    def _log_retry(self, error: Unavailable | Misconfigured, attempt: int) -> None:
        if not self._paused:  # once per outage, not per item
            log.warning("unavailable, trying again", error=str(error), attempt=attempt)

    def _cancel_late_calls(self) -> None:
        """Cancel overdue calls: cheaper than a timeout around each call (decisions/011)."""
        now = self.loop.time()
        for runner in [runner for runner, until in self._deadlines.items() if until <= now]:
            # The call may lose this cancellation (operators.concurrency.cancel).
            self._deadlines[runner] = now + self.policy.deadline_seconds
            self._late[runner] += 1
            runner.cancel()
        self._watching = bool(self._runners)
        if self._watching:
            self.loop.call_later(self.policy.deadline_seconds / 20, self._cancel_late_calls)

    def _deadline_exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"not done after {self.policy.deadline_seconds:g} s", reason="deadline"
        )

    async def _pause(self, attempt: int) -> None:
        self._paused += 1
        try:
            await asyncio.sleep(self.policy.longest_pause(attempt) * random.uniform(0.5, 1.0))
        finally:
            self._paused -= 1
