"""Probes as ``looksync doctor`` makes them: of clients that are opened by the settings."""

from __future__ import annotations

from dataflows.wiring.clients import Clients
from operators.stores import probes
from schemas.settings import (
    IndexSettings,
    RedisSettings,
    Settings,
    ThumbnailSettings,
    load_settings,
)


async def probe_index(index: IndexSettings) -> str:
    if index.kind == "sqlite":
        return (await probes.probe_sqlite(index.path)).description
    async with Clients(_settings(index=index)) as clients:
        return (await probes.probe_weaviate(await clients.weaviate(), index)).description


async def probe_redis(redis: RedisSettings) -> str:
    async with Clients(_settings(redis=redis)) as clients:
        return await probes.probe_redis(clients.redis)


async def probe_thumbnails(thumbnails: ThumbnailSettings) -> None:
    async with Clients(_settings(thumbnails=thumbnails)) as clients:
        await probes.probe_thumbnails(clients.thumbnails)


def _settings(**sections: object) -> Settings:
    return load_settings().model_copy(update=sections)
