"""The mirror follows the secondary alias: it opens, acknowledges, retires and closes indexes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
import redis.asyncio

from operators.ports import IndexedAttributes, Vector
from operators.stores.index_mirror import (
    POLL_INTERVAL_SECONDS,
    SecondaryIndex,
    SecondaryIndexMirror,
)
from operators.stores.redis.mirrors import ACTIVE_SECONDS, MirrorAcknowledgements
from operators.stores.weaviate.schema import Collection
from schemas.errors import Misconfigured, Unavailable
from tests.doubles import HashEncoder, InMemoryIndex, plain_picture
from tests.indexed_products import BARE, PLAIN

NEW = Collection("encoder-b", 16, "encoder-b@1", "model-b")
NEWER = Collection("encoder-c", 16, "encoder-c@1", "model-c")


class Polls:
    """A sleep that returns when the test asks for the next poll."""

    def __init__(self) -> None:
        self.intervals: list[float] = []
        self._asleep = asyncio.Event()
        self._wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.intervals.append(seconds)
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def next(self) -> None:
        """Run one poll to its end."""
        await self._asleep.wait()
        self._asleep.clear()
        self._wake.set()
        await self._asleep.wait()


class PausedIndex(InMemoryIndex):
    """``write_started`` is set once a write has begun; it ends when ``go_on`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.write_started, self.go_on = asyncio.Event(), asyncio.Event()

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        self.write_started.set()
        await self.go_on.wait()
        await super().upsert(key, vector, attributes)


class Encoder(HashEncoder):
    reads_text = True
    finds_layers = True


@dataclass
class Aliases:
    """What ``find`` returns or raises, and what was opened and closed."""

    secondary: Collection | None = None
    outage: Unavailable | None = None
    broken: set[str] = field(default_factory=set)
    new_index: Callable[[], InMemoryIndex] = InMemoryIndex
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    indexes: dict[str, InMemoryIndex] = field(default_factory=dict)

    async def find(self) -> Collection | None:
        if self.outage is not None:
            raise self.outage
        return self.secondary

    async def open(self, collection: Collection) -> SecondaryIndex:
        self.opened.append(collection.generation)
        if collection.generation in self.broken:
            raise Misconfigured("no such model")
        resources = AsyncExitStack()
        resources.callback(self.closed.append, collection.generation)
        index = self.indexes[collection.generation] = self.new_index()
        return SecondaryIndex(collection, Encoder(collection.fingerprint), index, resources)


@pytest.fixture
def polls() -> Polls:
    return Polls()


@pytest.fixture
def aliases() -> Aliases:
    return Aliases()


@pytest.fixture
def acknowledgements(client: redis.asyncio.Redis) -> MirrorAcknowledgements:
    return MirrorAcknowledgements(client)


@pytest.fixture
def mirror(
    aliases: Aliases, acknowledgements: MirrorAcknowledgements, polls: Polls
) -> SecondaryIndexMirror:
    return SecondaryIndexMirror(aliases.find, aliases.open, acknowledgements, sleep=polls.sleep)


PICTURE = plain_picture("red")


async def test_without_a_secondary_index_nothing_is_written(
    mirror: SecondaryIndexMirror, aliases: Aliases
) -> None:
    async with mirror.running():
        await mirror.upsert("zari:1", PICTURE, PLAIN)
        await mirror.patch("zari:1", PLAIN)
        await mirror.delete("zari:1")
        assert mirror.fingerprint is None
    assert aliases.opened == []


async def test_a_mirror_is_active_and_acknowledged_before_the_first_write(
    mirror: SecondaryIndexMirror, aliases: Aliases, acknowledgements: MirrorAcknowledgements
) -> None:
    aliases.secondary = NEW
    async with mirror.running():
        assert mirror.fingerprint == NEW.fingerprint
        assert await acknowledgements.count(NEW.generation) == 1
    assert aliases.opened == aliases.closed == [NEW.generation]


async def test_writes_reach_the_secondary_index_with_its_own_encoder(
    mirror: SecondaryIndexMirror, aliases: Aliases
) -> None:
    aliases.secondary = NEW
    async with mirror.running():
        index = aliases.indexes[NEW.generation]
        await mirror.upsert("zari:1", PICTURE, PLAIN)
        await mirror.upsert("zari:2", PICTURE, PLAIN)
        await mirror.patch("zari:1", BARE)
        await mirror.delete("zari:2")
    expected = await HashEncoder(NEW.fingerprint).encode_image(PICTURE)
    ((key, (stored, attributes)),) = index.objects.items()
    assert (key, attributes) == ("zari:1", BARE)
    assert stored.tobytes() == expected.tobytes()


async def test_a_secondary_index_that_appears_is_opened_once_and_acknowledged_at_each_poll(
    mirror: SecondaryIndexMirror,
    aliases: Aliases,
    acknowledgements: MirrorAcknowledgements,
    polls: Polls,
    client: redis.asyncio.Redis,
) -> None:
    async with mirror.running():
        aliases.secondary = NEW
        await polls.next()
        assert mirror.fingerprint == NEW.fingerprint
        await client.flushall()
        await polls.next()
        assert await acknowledgements.count(NEW.generation) == 1
        assert aliases.opened == [NEW.generation]
        assert aliases.closed == []
    assert set(polls.intervals) == {POLL_INTERVAL_SECONDS}


def test_an_acknowledgement_outlives_several_polls() -> None:
    assert 0 < 3 * POLL_INTERVAL_SECONDS < ACTIVE_SECONDS


@pytest.mark.parametrize("next_secondary", [None, NEWER])
async def test_an_index_that_is_no_longer_secondary_is_closed(
    mirror: SecondaryIndexMirror, aliases: Aliases, polls: Polls, next_secondary: Collection | None
) -> None:
    aliases.secondary = NEW
    async with mirror.running():
        aliases.secondary = next_secondary
        await polls.next()
        assert mirror.fingerprint == (next_secondary and next_secondary.fingerprint)
        assert aliases.closed == [NEW.generation]
        await mirror.upsert("zari:1", PICTURE, PLAIN)
        assert aliases.indexes[NEW.generation].objects == {}
    assert sorted(aliases.closed) == sorted(aliases.opened)


async def test_an_index_is_not_closed_under_a_write(
    mirror: SecondaryIndexMirror, aliases: Aliases, polls: Polls
) -> None:
    aliases.secondary, aliases.new_index = NEW, PausedIndex
    async with mirror.running():
        index = aliases.indexes[NEW.generation]
        assert isinstance(index, PausedIndex)
        write = asyncio.create_task(mirror.upsert("zari:1", PICTURE, PLAIN))
        await index.write_started.wait()
        aliases.secondary = None
        await polls.next()
        await polls.next()
        assert aliases.closed == []
        index.go_on.set()
        await write
        await polls.next()
        assert aliases.closed == [NEW.generation]
    assert aliases.closed == [NEW.generation]


async def test_a_retired_index_under_a_write_is_closed_at_the_end(
    mirror: SecondaryIndexMirror, aliases: Aliases, polls: Polls
) -> None:
    aliases.secondary, aliases.new_index = NEW, PausedIndex
    async with mirror.running():
        index = aliases.indexes[NEW.generation]
        assert isinstance(index, PausedIndex)
        write = asyncio.create_task(mirror.upsert("zari:1", PICTURE, PLAIN))
        await index.write_started.wait()
        aliases.secondary = NEWER
        await polls.next()
    write.cancel()
    assert sorted(aliases.closed) == [NEW.generation, NEWER.generation]


async def test_an_outage_leaves_the_mirror_active(
    mirror: SecondaryIndexMirror, aliases: Aliases, polls: Polls
) -> None:
    aliases.secondary = NEW
    async with mirror.running():
        aliases.outage = Unavailable("weaviate is away")
        await polls.next()
        assert mirror.fingerprint == NEW.fingerprint
        aliases.outage, aliases.secondary = None, None
        await polls.next()
        assert mirror.fingerprint is None


async def test_an_outage_at_the_start_reaches_the_caller(
    mirror: SecondaryIndexMirror, aliases: Aliases
) -> None:
    aliases.outage = Unavailable("weaviate is away")
    with pytest.raises(Unavailable):
        async with mirror.running():
            pass


async def test_a_model_that_cannot_be_loaded_is_tried_once_and_never_acknowledged(
    mirror: SecondaryIndexMirror,
    aliases: Aliases,
    acknowledgements: MirrorAcknowledgements,
    polls: Polls,
) -> None:
    aliases.secondary, aliases.broken = NEW, {NEW.generation}
    async with mirror.running():
        await polls.next()
        assert mirror.fingerprint is None
        assert aliases.opened == [NEW.generation]
        assert await acknowledgements.count(NEW.generation) == 0
        aliases.secondary = NEWER
        await polls.next()
        assert mirror.fingerprint == NEWER.fingerprint
        assert await acknowledgements.count(NEWER.generation) == 1


async def test_each_flow_is_counted_once_per_generation(
    aliases: Aliases, acknowledgements: MirrorAcknowledgements
) -> None:
    aliases.secondary = NEW
    first, second = (
        SecondaryIndexMirror(aliases.find, aliases.open, acknowledgements, sleep=Polls().sleep)
        for _ in range(2)
    )
    async with first.running(), second.running():
        assert await acknowledgements.count(NEW.generation) == 2
        assert await acknowledgements.count(NEWER.generation) == 0


async def test_a_flow_that_stopped_acknowledging_is_not_counted(
    client: redis.asyncio.Redis,
) -> None:
    acknowledgements = MirrorAcknowledgements(client)
    await acknowledgements.acknowledge("encoder-b@1", "flow")
    await acknowledgements.acknowledge("encoder-b@1", "other")
    assert await acknowledgements.count("encoder-b@1") == 2
    key = "looksync:mirrors:encoder-b@1:flow"
    assert 0 < await client.pttl(key) <= ACTIVE_SECONDS * 1000, "by the server's clock"
    await client.delete(key)  # as if it had expired
    assert await acknowledgements.count("encoder-b@1") == 1
    assert 0 < await client.ttl("looksync:mirrors:encoder-b@1") <= 86_400
