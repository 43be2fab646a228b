"""Products that are due to be settled again come back as packets, in order with all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog
from pydantic import ValidationError

from operators.concurrency import running
from operators.ports import RefreshSchedule
from schemas.base import encode
from schemas.catalog import Packet, PacketKind
from schemas.errors import Misconfigured, Unavailable
from schemas.records import Record

POLL_INTERVAL_SECONDS = 5.0

BATCH = 500
"""Refreshes published per poll: 100 a second, so that pictures of a host that is back do not hold
up what vendors send."""

LEASE = timedelta(minutes=15)
"""After which a refresh that was published and not applied is published again."""

Publish = Callable[[Iterable[Record]], object]
"""Appends to catalog.updates; may block."""

log = structlog.get_logger()


@asynccontextmanager
async def publishing_refreshes(schedule: RefreshSchedule, publish: Publish) -> AsyncIterator[None]:
    """Meanwhile, publish what is due to catalog.updates."""
    async with running(_poll(schedule, publish)):
        yield


async def _poll(schedule: RefreshSchedule, publish: Publish) -> None:
    while True:
        try:
            await publish_due(schedule, publish, datetime.now(UTC))
        except (Unavailable, Misconfigured) as error:
            # The flow itself waits for the same store, and health reports it.
            log.warning("no refreshes published", cause=str(error))
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def publish_due(schedule: RefreshSchedule, publish: Publish, now: datetime) -> int:
    """Publish a refresh of each product that is due at ``now``; how many."""
    due = [_refresh(key, now) for key in await schedule.lease_due(now, BATCH, LEASE)]
    records = [record for record in due if record is not None]
    if records:
        await asyncio.to_thread(publish, records)
    return len(records)


def _refresh(key: str, now: datetime) -> Record | None:
    """The packet; None for a key that cannot be a product's, which another program scheduled."""
    vendor, _, product_id = key.partition(":")
    try:
        packet = Packet(
            vendor=vendor,
            product_id=product_id,
            kind=PacketKind.REFRESH,
            version=int(now.timestamp()),
            sent_at=now,
        )
    except ValidationError:
        log.warning("not the key of a product, not refreshed", key=key)
        return None
    return Record(key, encode(packet))
