"""The ledger alone, for commands that must not wait for torch to load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dataflows.wiring.embedded import embedded_services
from operators.ports import Ledger
from operators.stores.redis.client import open_redis
from operators.stores.redis.ledger import RedisLedger
from schemas.settings import Settings


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """The product ledger, to be read; empty before the first flow has run. Raises Misconfigured
    or Unavailable."""
    with embedded_services(settings) as url:
        client = open_redis(url, settings.redis if settings.redis.kind == "url" else None)
        ledger = RedisLedger(client, settings.redis.reads)
        try:
            yield ledger
        finally:
            await ledger.close()
            await client.aclose()
