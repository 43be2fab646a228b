"""Many calls in flight, but those of one key one after another: the asyncio side of a lane.

What an attempt's error means for its item:

    Rejected             Failed at once: the input can never succeed
    DeadlineExceeded     Failed at once: the attempt took longer than ``deadline_seconds``
    PictureUnavailable   tried again with growing pauses; Failed after ``attempts`` tries
    Unavailable          tried again with growing pauses for as long as it takes: the item keeps
                         its place in the window, so an outage of a part fills the window, closes
                         the gate and holds the sources back; nothing is lost
    Misconfigured        Failed; the lane stops the flow with its message
    anything else        Failed at once, stage "unexpected": a bug costs one item, not the flow
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from schemas.errors import DeadlineExceeded, PictureUnavailable, Unavailable

log = structlog.get_logger()

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[Item, Value]):
    """``item`` was handled."""

    item: Item
    value: Value


@dataclass(frozen=True, slots=True, eq=False)
class Failed(Generic[Item]):
    """``item`` could not be handled: ``error`` says why, after ``attempts`` tries."""

    item: Item
    error: BaseException
    attempts: int


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How many calls at once, how long each may take, and when one is tried again."""

    window: int
    deadline_seconds: float
    """Of one attempt, waits for parts included; enforced within 5 % of it."""
    attempts: int
    """Tries of an item whose picture is unavailable."""
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 10.0
    """Pauses double from the first to the longest, each shortened at random by up to a half."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A call that waits for a part of ours that is away."""

    part: str
    """The error's reason."""
    since: float
    """time.monotonic() of the first attempt that did not reach the part."""
    why: str


Report = Callable[[Done[Item, Value] | Failed[Item]], None]
_Call = tuple[Item, str, Report[Item, Value]]
"""Item, key, and whom to tell."""


class KeyedCalls(Generic[Item, Value]):
    """Calls ``handle`` on items: at most ``window`` at once, those of one key in order.

    Every item ends as Done or Failed, whatever its call raises. To be used on its ``loop``;
    ``paused``, ``waits``, ``settled`` and ``begin_no_more`` from any thread.
    """

    def __init__(
        self,
        handle: Callable[[Item], Awaitable[Value]],
        key: Callable[[Item], str],
        policy: CallPolicy,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._handle = handle
        self._loop = loop
        self._key = key
        self._policy = policy
        self._ready: deque[_Call[Item, Value]] = deque()
        self._behind: dict[str, deque[_Call[Item, Value]]] = {}
        """Per key in work, the calls that wait for it."""
        self._runners: set[asyncio.Task[None]] = set()
        self._starting = False
        """A runner has been created that does not run yet."""
        self._paused = 0
        self._waits: dict[asyncio.Task[None], Wait] = {}
        """Per runner, what its call waits for; until an attempt gets through."""
        self._deadlines: dict[asyncio.Task[None], float] = {}
        """Until when (loop time) the call that a runner awaits may take."""
        self._late: set[asyncio.Task[None]] = set()
        """Runners whose call was cancelled at its deadline."""
        self._watching = False
        self._ending = False

    @property
    def paused(self) -> int:
        """Calls that wait to be made again, because something was unavailable."""
        return self._paused

    @property
    def waits(self) -> list[Wait]:
        """The calls that have not got through because a part is away; not for lack of a picture."""
        return list(self._waits.copy().values())

    @property
    def settled(self) -> bool:
        """Nothing moves: no call has begun but those that wait for a part to come back."""
        return len(self._runners) == self._paused

    def begin_no_more(self) -> None:
        """Let what has begun come to its end, and begin nothing else."""
        self._ending = True

    def submit(self, item: Item, report: Report[Item, Value]) -> None:
        """Queue ``item``; ``report`` is called once, on the loop, when it is done or has failed."""
        key = self._key(item)
        behind = self._behind.get(key)
        if behind is None:
            self._behind[key] = deque()
            self._ready.append((item, key, report))
            self._start_runner()
        else:
            behind.append((item, key, report))

    def _start_runner(self) -> None:
        """One at a time: a call that never suspends leaves nothing to do for a second runner."""
        if not self._starting and len(self._runners) < self._policy.window:
            self._starting = True
            runner = self._loop.create_task(self._run())
            self._runners.add(runner)
            if not self._watching:
                self._cancel_late_calls()

    async def _run(self) -> None:
        """Calls one after another for as long as some are ready."""
        self._starting = False
        runner = asyncio.current_task()
        assert runner is not None, "a coroutine of a task"
        try:
            while self._ready and not self._ending:
                item, key, report = self._ready.popleft()
                if self._ready:
                    self._start_runner()
                outcome = await self._outcome(item, runner)
                self._waits.pop(runner, None)
                report(outcome)
                behind = self._behind[key]
                if behind:
                    self._ready.append(behind.popleft())
                else:
                    del self._behind[key]
        finally:
            # At once, not in a callback: who submits in between must see that a runner is wanted.
            self._runners.discard(runner)

    async def _outcome(
        self, item: Item, runner: asyncio.Task[None]
    ) -> Done[Item, Value] | Failed[Item]:
        attempt = 0
        while True:
            attempt += 1
            self._deadlines[runner] = self._loop.time() + self._policy.deadline_seconds
            try:
                return Done(item, await self._handle(item))
            except Unavailable as error:
                picture = isinstance(error, PictureUnavailable)
                if picture and attempt >= self._policy.attempts:
                    return Failed(item, error, attempt)
                self._note_wait(runner, None if picture else error)
                if not self._paused:  # once per outage, not once per item
                    log.warning("unavailable, trying again", error=str(error), attempt=attempt)
            except asyncio.CancelledError as error:
                if runner in self._late:
                    return Failed(item, self._too_late(), attempt)
                if runner.cancelling():
                    raise  # the loop is being shut down; the item is in the lane's snapshot
                return Failed(item, error, attempt)
            except BaseException as error:
                return Failed(item, error, attempt)
            finally:
                self._deadlines.pop(runner, None)
                if runner in self._late:
                    self._late.discard(runner)
                    runner.uncancel()
            await self._pause(attempt)

    def _note_wait(self, runner: asyncio.Task[None], error: Unavailable | None) -> None:
        before = self._waits.pop(runner, None)
        if error is not None:
            same = before is not None and before.part == error.reason
            since = before.since if before is not None and same else time.monotonic()
            self._waits[runner] = Wait(error.reason, since, str(error))

    def _cancel_late_calls(self) -> None:
        """What a timeout around each call would do, at a fraction of its cost (decisions/011)."""
        now = self._loop.time()
        for runner in [runner for runner, until in self._deadlines.items() if until <= now]:
            del self._deadlines[runner]
            self._late.add(runner)
            runner.cancel()
        self._watching = bool(self._runners)
        if self._watching:
            self._loop.call_later(self._policy.deadline_seconds / 20, self._cancel_late_calls)

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"not done after {self._policy.deadline_seconds:g} s", reason="deadline"
        )

    async def _pause(self, attempt: int) -> None:
        longest = self._policy.longest_pause_seconds
        # The exponent is capped: after a day of outage 2.0**attempt would overflow.
        pause = min(longest, self._policy.first_pause_seconds * 2.0 ** min(attempt - 1, 30))
        self._paused += 1
        try:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        finally:
            self._paused -= 1
