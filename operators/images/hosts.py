"""How many downloads a host, or a vendor, may have at once: one that is slow or down holds up
no other host or vendor.

Quotas grow with each quick answer and are cut by each failure, as TCP's window is. A host that
keeps failing is shut: nothing is asked of it for a while, then a single download tries it
(a circuit breaker; Nygard, Release It!, 2007). Whoever is turned away gets PictureUnavailable.

Hosts are called slow by comparison. When all are, this process is what is slow: they wait.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import structlog

from schemas.errors import ImageRefused, PictureUnavailable

log = structlog.get_logger()

FIRST_QUOTA = 8
"""Of a host not known yet: with answers after 0.3 s it has 64 after a second."""

LEAST_QUOTA, LEAST_SHARE = 2, 1 / 32
"""Of a slow host, the larger of both: downloads at once, and share of the limit."""

SLOW_SECONDS = 2.0
SLOW_FACTOR = 4.0
"""An answer is slow that takes longer than both: 2 s, and 4 times what answers usually take."""

FIRST_SECONDS, FIRST_FACTOR = 1.0, 2.0
"""The same for a host that has never answered: connecting to another continent takes 0.3 s."""

_NO_ANSWER, _BAD_STATUS, _SHUT_FROM = 4, 1, 20
"""Weight of failures in a row. A host is shut after 5 without an answer, or 20 error statuses:
single pictures may be broken on a host that is well. A vendor is shut after 20 of either."""

FIRST_SHUT_SECONDS, LONGEST_SHUT_SECONDS = 15.0, 300.0
"""Doubled at each try that fails. A Retry-After is respected up to the longest pause."""

OTHERS_SECONDS = 60.0
"""Others count as waiting when one of them has answered within this time."""

TURNED_AWAY = frozenset({"host-shut", "host-slow", "vendor-shut", "vendor-slow"})
"""Reasons of errors before anything is asked."""

_SMOOTHING = 0.1
_MAX_KNOWN = 10_000


@dataclass(slots=True, eq=False)
class _Peer:
    """A host or vendor. Times are the loop's."""

    name: str
    quota: int = FIRST_QUOTA
    busy: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    asked: int = 0
    """Downloads under way, of the busy ones."""
    moved_at: float = 0.0
    """Of the last answer, or of the first question since nothing was under way."""
    answered_at: float | None = None
    seconds: float = 0.0
    """What an answer takes, smoothed."""
    failures: int = 0
    shut_until: float = 0.0
    shut_seconds: float = FIRST_SHUT_SECONDS

    @property
    def is_shut(self) -> bool:
        """Whether it keeps failing: one download at a time may try it."""
        return self.failures >= _SHUT_FROM


@dataclass(slots=True, eq=False)
class Turn:
    """One download's right to ask."""

    peer: _Peer
    started_at: float | None = None

    @property
    def is_trial(self) -> bool:
        """Whether the host was shut, and this download tries it."""
        return self.peer.is_shut

    def start(self) -> None:
        """The download begins now, unless it has; before, it waited for this process."""
        if self.started_at is not None:
            return
        self.started_at = asyncio.get_running_loop().time()
        if not self.peer.asked:
            self.peer.moved_at = self.started_at
        self.peer.asked += 1


class Quotas:
    """Of all hosts, or of all vendors. Use from one event loop."""

    def __init__(self, limit: int, kind: Literal["host", "vendor"]) -> None:
        """``limit``: most downloads of one host, or vendor, at once."""
        self._limit = limit
        self._least = max(LEAST_QUOTA, int(LEAST_SHARE * limit))
        self._kind = kind
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._usual_seconds = 0.0
        self._last: list[_Peer] = []
        """The two that answered last, the latest first."""

    @property
    def shut(self) -> int:
        """How many are shut now."""
        return sum(peer.is_shut for peer in list(self._peers.values()))

    @asynccontextmanager
    async def turn(self, name: str, *, patient: bool) -> AsyncIterator[Turn]:
        """Wait for a turn at ``name``; what the body raises decides the outcome.

        ``patient``: turned away only when others need the place.
        Raises PictureUnavailable, with the reasons of :data:`TURNED_AWAY`.
        """
        peer = self._peer(name)
        await self._enter(peer, patient)
        turn = Turn(peer)
        try:
            yield turn
        except ImageRefused:
            self._note_answer(turn)
            raise
        except PictureUnavailable as error:
            self._note_failure(turn, error)
            raise
        except asyncio.CancelledError:
            # The caller's own limit may be shorter than ours.
            if turn.started_at is not None and self._is_slow(self._seconds(turn)):
                self._note_failure(turn, None)
            raise
        else:
            self._note_answer(turn)
        finally:
            self._leave(turn)

    def _peer(self, name: str) -> _Peer:
        peer = self._peers.setdefault(name, _Peer(name))
        self._peers.move_to_end(name)
        if len(self._peers) > _MAX_KNOWN:
            oldest = next(iter(self._peers.values()))
            if not oldest.busy and not oldest.waiting:
                del self._peers[oldest.name]
        return peer

    async def _enter(self, peer: _Peer, patient: bool) -> None:
        loop = asyncio.get_running_loop()
        shut_for = peer.shut_until - loop.time()
        if 0 < shut_for <= SLOW_SECONDS and not peer.is_shut:  # a short Retry-After
            await asyncio.sleep(shut_for)
            shut_for = peer.shut_until - loop.time()
        alone = patient and not self._others_answer(peer)
        if not alone:
            if shut_for > 0:
                raise self._shut(peer, shut_for)
            if peer.is_shut and peer.busy:
                raise self._shut(peer, peer.shut_seconds)  # another one is trying it
        quota = max(FIRST_QUOTA, peer.quota) if alone else peer.quota
        if peer.busy < quota and not peer.waiting:
            peer.busy += 1
            return
        if not alone and self._holds_up(peer):
            raise self._slow(peer)
        await self._wait(peer, patient)

    async def _wait(self, peer: _Peer, patient: bool) -> None:
        place = asyncio.get_running_loop().create_future()
        peer.waiting.append(place)
        try:
            while not place.done():
                await asyncio.wait((place,), timeout=FIRST_SECONDS)
                alone = patient and not self._others_answer(peer)
                if not place.done() and not alone and self._holds_up(peer):
                    raise self._slow(peer)
            place.result()  # raises, if the host was shut
        except BaseException:
            if place in peer.waiting:
                peer.waiting.remove(place)
            elif place.done() and place.exception() is None:
                peer.busy -= 1  # cancelled in the moment of its turn
                self._let_in(peer)
            raise

    def _leave(self, turn: Turn) -> None:
        turn.peer.busy -= 1
        turn.peer.asked -= turn.started_at is not None
        self._let_in(turn.peer)

    def _let_in(self, peer: _Peer) -> None:
        while peer.waiting and peer.busy < peer.quota:
            place = peer.waiting.popleft()
            if not place.done():
                peer.busy += 1
                place.set_result(None)

    def _note_answer(self, turn: Turn) -> None:
        peer = turn.peer
        if turn.started_at is None:
            return
        seconds = self._seconds(turn)
        peer.seconds = _smooth(peer.seconds, seconds)
        self._usual_seconds = _smooth(self._usual_seconds, seconds)
        peer.moved_at = peer.answered_at = asyncio.get_running_loop().time()
        if self._last[:1] != [peer]:
            self._last = [peer, *self._last[:1]]
        if peer.is_shut:
            log.info(f"pictures of a {self._kind} are available again", **{self._kind: peer.name})
            peer.quota = FIRST_QUOTA
        peer.failures, peer.shut_seconds = 0, FIRST_SHUT_SECONDS
        if self._is_slow(seconds):
            if self._kind == "vendor":
                return  # its other hosts may be quick
            peer.quota = max(self._least, peer.quota // 2)
        else:
            peer.quota = min(self._limit, peer.quota + 1)

    def _note_failure(self, turn: Turn, error: PictureUnavailable | None) -> None:
        if turn.started_at is None or (error is not None and error.reason in TURNED_AWAY):
            return
        peer = turn.peer
        status = error is not None and error.reason == "http-status"
        if self._kind == "vendor":  # its other hosts may be well
            kept, weight = 0.75, _BAD_STATUS
        else:
            kept, weight = 0.5, _BAD_STATUS if status else _NO_ANSWER
        peer.quota = max(self._least, int(kept * peer.quota))
        was_open = not peer.is_shut
        peer.failures += weight
        now = asyncio.get_running_loop().time()
        # A vendor has other hosts than the one that asks for a pause.
        if error is not None and error.retry_after_seconds and self._kind == "host":
            asked = min(error.retry_after_seconds, LONGEST_SHUT_SECONDS)
            peer.shut_until = max(peer.shut_until, now + asked)
        if not peer.is_shut:
            return
        if was_open:
            why = str(error or "no answer in time")
            log.warning(f"a {self._kind} is left alone", **{self._kind: peer.name}, why=why)
        elif peer.shut_until <= now:
            peer.shut_seconds = min(LONGEST_SHUT_SECONDS, 2 * peer.shut_seconds)
        peer.shut_until = max(peer.shut_until, now + peer.shut_seconds)
        while peer.waiting:
            place = peer.waiting.popleft()
            if not place.done():
                place.set_exception(self._shut(peer, peer.shut_seconds))

    def _holds_up(self, peer: _Peer) -> bool:
        """Whether waiting for ``peer`` is waiting for something slow."""
        silent = asyncio.get_running_loop().time() - peer.moved_at if peer.asked else 0.0
        if peer.answered_at is None:
            return silent >= max(FIRST_SECONDS, FIRST_FACTOR * self._usual_seconds)
        return self._is_slow(silent) or self._is_slow(peer.seconds)

    def _is_slow(self, seconds: float) -> bool:
        return seconds >= max(SLOW_SECONDS, SLOW_FACTOR * self._usual_seconds)

    def _others_answer(self, peer: _Peer) -> bool:
        now = asyncio.get_running_loop().time()
        return any(
            other is not peer
            and other.answered_at is not None
            and now - other.answered_at < OTHERS_SECONDS
            for other in self._last
        )

    @staticmethod
    def _seconds(turn: Turn) -> float:
        now = asyncio.get_running_loop().time()
        return now - (now if turn.started_at is None else turn.started_at)

    def _shut(self, peer: _Peer, seconds: float) -> PictureUnavailable:
        return PictureUnavailable(
            f"{self._kind} {peer.name} keeps failing; it is left alone for {seconds:.0f} s",
            reason=f"{self._kind}-shut",
            retry_after_seconds=max(1.0, seconds),
        )

    def _slow(self, peer: _Peer) -> PictureUnavailable:
        return PictureUnavailable(
            f"{self._kind} {peer.name} is slow: {peer.busy} downloads at once are under way",
            reason=f"{self._kind}-slow",
            retry_after_seconds=FIRST_SHUT_SECONDS,
        )


def _smooth(before: float, now: float) -> float:
    return now if not before else before + _SMOOTHING * (now - before)
