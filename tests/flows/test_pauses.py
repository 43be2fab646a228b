"""A paused flow handles nothing, and goes on where it was once it is resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from dataflows.wiring import pauses as following
from dataflows.wiring.pauses import following_pauses, open_pauses
from operators.stores.redis.pauses import RedisPauses
from operators.streaming.engine.gate import Gate
from schemas.errors import Unavailable
from tests.flows.small_catalog import SmallCatalog
from tests.flows.test_refreshes_in_flow import wait_for


class StoredPauses(RedisPauses):
    """In memory."""

    def __init__(self) -> None:
        super().__init__(Redis())
        self.answer: str | Unavailable | None = None
        self.asked = asyncio.Event()

    async def reason(self, flow: str) -> str | None:
        self.asked.set()
        if isinstance(self.answer, Unavailable):
            raise self.answer
        return self.answer

    async def next_answer(self) -> None:
        for _ in range(2):  # the first may be under way
            self.asked.clear()
            await self.asked.wait()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> StoredPauses:
    monkeypatch.setattr(following, "POLL_INTERVAL_SECONDS", 0.0)
    return StoredPauses()


@asynccontextmanager
async def followed(pauses: StoredPauses) -> AsyncIterator[Gate]:
    gate = Gate(5)
    async with following_pauses(pauses, "catalog", gate):
        yield gate


async def test_the_gate_is_closed_from_the_start_and_opened_later(pauses: StoredPauses) -> None:
    pauses.answer = "maintenance"
    async with followed(pauses) as gate:
        assert (gate.paused, gate.room) == (True, 0)
        pauses.answer = None
        await pauses.next_answer()
        assert (gate.paused, gate.room) == (False, 5)


@pytest.mark.parametrize("before", [None, "maintenance"])
async def test_without_redis_the_gate_stays_as_it_is(
    pauses: StoredPauses, before: str | None
) -> None:
    pauses.answer = before
    async with followed(pauses) as gate:
        pauses.answer = Unavailable("redis is away")
        await pauses.next_answer()
        assert gate.paused == (before is not None)


@pytest.mark.slow
def test_a_paused_flow_goes_on_once_it_is_resumed(catalog: SmallCatalog) -> None:
    async def change(reason: str | None) -> None:
        async with open_pauses(catalog.settings) as pauses:
            if reason is None:
                assert await pauses.resume("catalog")
            else:
                await pauses.pause("catalog", reason)

    asyncio.run(change("maintenance"))
    catalog.send("1", 1, pictures=[catalog.picture("red", "red")])
    flow = catalog.start_flow()
    wait_for(catalog, [])
    asyncio.run(change(None))
    wait_for(catalog, [("shop:1", "created")])
    flow.terminate()
    flow.join(60)
    assert flow.exitcode == 0
