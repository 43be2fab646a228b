"""Follows the topics: keeps matches and pictures in Redis, wakes waiting requests, feeds open
streams."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from pydantic import ValidationError

from dataflows.wiring.online import OnlineParts
from dataflows.wiring.topics import FlowTopic
from operators.matching.serving import to_keep
from operators.streaming.kafka.topic import KafkaTopic
from operators.streaming.tail import open_tail
from schemas.catalog import ProductChange
from schemas.errors import LookSyncError, list_problems
from schemas.looks import Look, LookMatches
from schemas.records import Record
from schemas.webhooks import EventKind
from services.api.look_pictures import LookPictures

log = structlog.get_logger()

REMEMBERED_BYTES = 16 * 2**20
"""Of the latest events, for streams that resume."""
BEHIND_BYTES = 4 * 2**20
"""A stream that is this far behind is ended; its client resumes."""
AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event, as it is on its topic."""

    event_id: str
    kind: EventKind
    data: str
    """JSON."""
    key: str = ""
    """Of the record: a look's id or a product's key."""


Tell = Callable[[Arrival], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Subscriber:
    kinds: frozenset[EventKind]
    queue: asyncio.Queue[Arrival | None] = field(default_factory=asyncio.Queue)
    size: int = 0


class Arrivals:
    """The events of this process's topics, as they come."""

    def __init__(
        self, parts: OnlineParts, tell: Tell, pictures: LookPictures, kept_for: timedelta
    ) -> None:
        """``tell``: is awaited with each event before its position is noted; may raise.
        ``kept_for``: how far back looks and matches are read at the first start."""
        self._parts = parts
        self._tell = tell
        self._pictures = pictures
        self._kept_for = kept_for
        self._waiting: dict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._latest: deque[Arrival] = deque()
        self._latest_bytes = 0
        self._subscribers: set[_Subscriber] = set()
        self.following: dict[str, bool] = {}
        """Per topic, whether it is read now."""

    async def run(self) -> None:
        """Follow the topics until cancelled."""
        parts = self._parts
        for topic in (parts.looks, parts.matches, parts.changes):
            self.following[topic.name] = False
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(self._parts.looks, self._take_look, past=True))
            group.create_task(self._follow(self._parts.matches, self._take_match, past=True))
            group.create_task(self._follow(self._parts.changes, self._take_change, past=False))

    async def _follow(
        self, topic: FlowTopic, take: Callable[[Record], Awaitable[None]], *, past: bool
    ) -> None:
        """``past``: at the first start, begin with what is still worth keeping."""
        while True:
            try:
                name = await asyncio.to_thread(_identity, topic)
                starts = await self._parts.kept.positions(name)
                if past and not starts:
                    starts = await asyncio.to_thread(_since, topic, self._kept_for)
                with closing(await open_tail(topic, starts)) as tail:
                    self.following[topic.name] = True
                    async for records in tail.batches():
                        for record in records:
                            await take(record)
                            if record.position is not None:
                                starts[record.position.partition] = record.position.offset
                        await self._parts.kept.note_positions(name, starts)
            except LookSyncError as error:
                log.warning("a topic cannot be followed", topic=topic.name, error=str(error))
                self.following[topic.name] = False
                await asyncio.sleep(AGAIN_SECONDS)

    async def _take_look(self, record: Record) -> None:
        try:
            look = Look.model_validate_json(record.value)
        except ValidationError:
            return  # the look flow makes a dead letter of it
        await _until_done(lambda: self._pictures.keep(look), look.look_id)

    async def _take_match(self, record: Record) -> None:
        event = _read(LookMatches, record)
        if event is not None:
            await self._keep(event)
            await self._pass_on("match", event.event_id, record)

    async def _take_change(self, record: Record) -> None:
        event = _read(ProductChange, record)
        if event is not None:
            await self._pass_on("change", event.event_id, record)

    async def _pass_on(self, kind: EventKind, event_id: UUID, record: Record) -> None:
        # SSE ends a line at a line break, and JSON escapes those inside its strings.
        data = record.value.decode().replace("\r", " ").replace("\n", " ")
        arrival = Arrival(str(event_id), kind, data, record.key)
        await self._tell(arrival)
        self._publish(arrival)

    async def _keep(self, event: LookMatches) -> None:
        kept = self._parts.kept
        worn = {layer.products[0].product.key for layer in event.layers if layer.products}
        await _until_done(
            lambda: kept.keep(event.look_id, to_keep(event), event.matched_at, worn), event.look_id
        )
        for waiting in self._waiting.pop(event.look_id, set()):
            if not waiting.done():
                waiting.set_result(None)

    async def wait_for(self, look_id: str, seconds: float) -> None:
        """Return when the look's match arrives, at the latest after ``seconds``."""
        arrived = asyncio.get_running_loop().create_future()
        self._waiting[look_id].add(arrived)
        try:
            async with asyncio.timeout(seconds):
                await arrived
        except TimeoutError:
            return
        finally:
            self._waiting[look_id].discard(arrived)
            if not self._waiting[look_id]:
                del self._waiting[look_id]

    def _publish(self, arrival: Arrival) -> None:
        self._latest.append(arrival)
        self._latest_bytes += len(arrival.data)
        while self._latest_bytes > REMEMBERED_BYTES:
            self._latest_bytes -= len(self._latest.popleft().data)
        for subscriber in list(self._subscribers):
            if arrival.kind in subscriber.kinds:
                subscriber.size += len(arrival.data)
                subscriber.queue.put_nowait(arrival)
                if subscriber.size > BEHIND_BYTES:
                    self._subscribers.discard(subscriber)
                    subscriber.queue.put_nowait(None)

    async def stream(
        self, kinds: frozenset[EventKind], after: str | None
    ) -> AsyncGenerator[Arrival | None, None]:
        """The events of ``kinds`` as they come, first those after the event ``after``.

        Begins with None when ``after`` is not remembered: events may be missing.
        """
        subscriber = _Subscriber(kinds)
        self._subscribers.add(subscriber)
        try:
            if after is not None:
                missed = self._after(after)
                if missed is None:
                    yield None
                for arrival in missed or ():
                    if arrival.kind in kinds:
                        yield arrival
            while (arrived := await subscriber.queue.get()) is not None:
                subscriber.size -= len(arrived.data)
                yield arrived
        finally:
            self._subscribers.discard(subscriber)

    def _after(self, event_id: str) -> list[Arrival] | None:
        latest = list(self._latest)
        for number in range(len(latest) - 1, -1, -1):
            if latest[number].event_id == event_id:
                return latest[number + 1 :]
        return None


Followed = TypeVar("Followed", LookMatches, ProductChange)


def _read(kind: type[Followed], record: Record) -> Followed | None:
    try:
        return kind.model_validate_json(record.value)
    except ValidationError as error:
        log.warning(
            "an event cannot be read", position=str(record.position), error=list_problems(error)
        )
        return None


async def _until_done(keep: Callable[[], Awaitable[None]], look_id: str) -> None:
    while True:
        try:
            await keep()
            return
        except LookSyncError as error:
            log.warning("a look cannot be kept yet", look=look_id, error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)


def _since(topic: FlowTopic, age: timedelta) -> dict[int, int]:
    """Where the records of the last ``age`` begin; file topics do not know, and are small."""
    if isinstance(topic, KafkaTopic):
        return topic.offsets_at(datetime.now(UTC) - age)
    return dict.fromkeys(range(topic.partitions), 0)


def _identity(topic: FlowTopic) -> str:
    """Which topic it is: positions mean nothing in another one of the same name."""
    if isinstance(topic, KafkaTopic):
        identity = topic.identity()
        return f"{identity.cluster}/{identity.topic}"
    return str(topic.path(0).parent.resolve())
