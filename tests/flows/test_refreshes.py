"""Due products are published on catalog.updates again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from dataflows.refreshes import LEASE, publish_due
from schemas.catalog import Packet, PacketKind
from schemas.records import Record
from tests.doubles import InMemorySchedule

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_what_is_not_the_key_of_a_product_holds_up_no_other() -> None:
    schedule, published = InMemorySchedule(), list[Record]()
    for key in ("", "no colon", "Shop:1", "shop:", "\ufffd", "shop:1"):
        await schedule.set(key, NOW)

    def publish(records: Iterable[Record]) -> None:
        published.extend(records)

    assert await publish_due(schedule, publish, NOW) == 1
    assert [record.key for record in published] == ["shop:1"]


async def test_a_due_product_is_published_under_its_key_and_leased() -> None:
    schedule, published = InMemorySchedule(), list[Record]()

    def publish(records: Iterable[Record]) -> None:
        published.extend(records)

    await schedule.set("shop:a:1", NOW - timedelta(seconds=1))
    await schedule.set("shop:2", NOW + timedelta(seconds=1))
    assert await publish_due(schedule, publish, NOW) == 1
    assert await publish_due(schedule, publish, NOW) == 0
    assert [record.key for record in published] == ["shop:a:1"]
    packet = Packet.model_validate_json(published[0].value)
    assert (packet.kind, packet.vendor, packet.product_id) == (PacketKind.REFRESH, "shop", "a:1")
    assert schedule.due["shop:a:1"] == NOW + LEASE
