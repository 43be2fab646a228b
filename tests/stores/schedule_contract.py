"""The contract of every RefreshSchedule. Needs the fixture ``schedule``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from operators.ports import RefreshSchedule

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND, LEASE = timedelta(seconds=1), timedelta(minutes=10)


class ScheduleContract:
    async def test_keys_become_due_in_the_order_of_their_times(
        self, schedule: RefreshSchedule
    ) -> None:
        await schedule.set("shop:late", NOW + SECOND)
        await schedule.set("shop:b", NOW)
        await schedule.set("shop:a", NOW - SECOND)
        assert await schedule.lease_due(NOW, 10, LEASE) == ["shop:a", "shop:b"]

    async def test_the_limit_takes_those_that_wait_longest(self, schedule: RefreshSchedule) -> None:
        for n in range(5):
            await schedule.set(f"shop:{n}", NOW - n * SECOND)
        assert await schedule.lease_due(NOW, 2, LEASE) == ["shop:4", "shop:3"]
        assert await schedule.lease_due(NOW, 2, LEASE) == ["shop:2", "shop:1"]

    async def test_the_last_time_counts(self, schedule: RefreshSchedule) -> None:
        await schedule.set("shop:1", NOW)
        await schedule.set("shop:1", NOW + SECOND)
        assert await schedule.lease_due(NOW, 10, LEASE) == []

    async def test_no_time_is_never(self, schedule: RefreshSchedule) -> None:
        await schedule.set("shop:1", NOW)
        await schedule.set("shop:1", None)
        await schedule.set("shop:2", None)
        assert await schedule.lease_due(NOW + LEASE, 10, LEASE) == []

    async def test_a_leased_key_comes_back_when_nothing_was_done_about_it(
        self, schedule: RefreshSchedule
    ) -> None:
        await schedule.set("shop:1", NOW)
        assert await schedule.lease_due(NOW, 10, LEASE) == ["shop:1"]
        assert await schedule.lease_due(NOW + LEASE - SECOND, 10, LEASE) == []
        assert await schedule.lease_due(NOW + LEASE, 10, LEASE) == ["shop:1"]

    async def test_of_many_callers_one_gets_a_key(self, schedule: RefreshSchedule) -> None:
        keys = [f"shop:{n}" for n in range(40)]
        await asyncio.gather(*(schedule.set(key, NOW) for key in keys))
        got = await asyncio.gather(*(schedule.lease_due(NOW, 7, LEASE) for _ in range(8)))
        assert sorted(key for some in got for key in some) == sorted(keys)

    async def test_keys_are_any_text(self, schedule: RefreshSchedule) -> None:
        await schedule.set("shop:靴 1", NOW)
        assert await schedule.lease_due(NOW, 1, LEASE) == ["shop:靴 1"]
