"""Redis for a command that needs nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from dataflows.wiring.embedded import embedded_services
from operators.stores.redis.client import open_redis
from schemas.settings import Settings


@asynccontextmanager
async def open_command_redis(settings: Settings) -> AsyncIterator[Redis]:
    """A client of the server, which is started if it is embedded. Raises Misconfigured or
    Unavailable."""
    with embedded_services(settings) as url:
        client = open_redis(url, settings.redis if settings.redis.kind == "url" else None)
        try:
            yield client
        finally:
            await client.aclose()
