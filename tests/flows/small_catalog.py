"""One vendor's catalog on embedded parts in one folder, for flows that run as processes."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from dataflows.run import run_flow
from operators.ports import Ledger, RefreshSchedule
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.schedule import RedisSchedule
from operators.streaming.files.topic import FileTopic
from schemas.catalog import LedgerEntry, ProductChange
from schemas.records import Record
from schemas.settings import Settings, load_settings
from tests.catalog.small_shop import MAPPING, item
from tests.doubles import plain_picture

# Forked from a process that has imported torch already.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dataflows.catalog", "dataflows.looks", "dataflows.wiring.parts"])

FEED = '[feed]\nid = "id"\nversion = "version"\n'


@dataclass(frozen=True, slots=True)
class SmallCatalog:
    """The shop of tests/catalog/small_shop.py."""

    folder: Path

    @property
    def settings(self) -> Settings:
        return load_settings(
            topics={"folder": self.folder / "topics"},
            stream={"recovery_folder": self.folder / "recovery", "epoch_seconds": 0.1},
            images={"allowed_roots": [self.folder], "http_cache": None},
            index={"path": self.folder / "index.sqlite"},
            redis={"folder": self.folder / "valkey"},
            thumbnails={"url": str(self.folder / "thumbnails")},
            catalog={"mappings": self.folder / "mappings"},
        )

    def prepare(self) -> None:
        (self.folder / "mappings").mkdir()
        (self.folder / "mappings" / "shop.toml").write_text(MAPPING + FEED)

    def topic(self, name: str) -> FileTopic:
        topic = FileTopic(self.settings.topics.folder, name)
        topic.create(self.settings.topics.partitions)
        return topic

    def picture(self, name: str, colour: str | None = None) -> str:
        """The URL of a picture, which exists only when it has a colour."""
        path = self.folder / f"{name}.png"
        if colour is not None:
            picture = plain_picture(colour, (64, 64))
            picture.paste("white", (16, 16, 48, 48))  # else refused as blank
            picture.save(path)
        return path.as_uri()

    def send(self, product_id: str, version: int, **changes: Any) -> None:
        """Put an upsert on catalog.updates."""
        packet = {
            "vendor": "shop",
            "product_id": product_id,
            "kind": "upsert",
            "version": version,
            "payload": item(**changes),
        }
        record = Record(f"shop:{product_id}", json.dumps(packet).encode())
        self.topic("catalog.updates").append([record])

    def changes(self) -> list[ProductChange]:
        """What is on catalog.changes, partition by partition."""
        topic = self.topic("catalog.changes")
        records = [r for p in range(topic.partitions) for r in topic.read(p)]
        return [ProductChange.model_validate_json(record.value) for record in records]

    def decisions(self) -> list[tuple[str, str]]:
        return sorted((change.key, change.decision.value) for change in self.changes())

    def run_once(self) -> int:
        return run_flow("catalog", self.settings, once=True)

    def start_flow(self) -> ForkServerProcess:
        process = PROCESSES.Process(target=_run_catalog, args=(self.settings,))
        process.start()
        return process

    @asynccontextmanager
    async def redis_parts(self) -> AsyncIterator[tuple[Ledger, RefreshSchedule]]:
        """Ledger and schedule; no flow may be running."""
        server = ensure_server(self.settings.redis.folder)
        client = open_redis(server.url)
        try:
            ledger = RedisLedger(client, self.settings.redis.reads)
            yield ledger, RedisSchedule(client)
        finally:
            await client.aclose()
            server.stop()

    def entries(self) -> dict[str, LedgerEntry]:
        async def read() -> dict[str, LedgerEntry]:
            async with self.redis_parts() as (ledger, _):
                return {entry.key: entry async for entry in ledger.scan()}

        return asyncio.run(read())

    def set_due(self, key: str, due: datetime | None) -> None:
        """What the passing of time does."""

        async def put() -> None:
            async with self.redis_parts() as (_, schedule):
                await schedule.set(key, due)

        asyncio.run(put())

    def due(self, now: datetime) -> list[str]:
        """The keys that are due at ``now``; they stay due."""

        async def read() -> list[str]:
            async with self.redis_parts() as (_, schedule):
                keys = await schedule.lease_due(now, 1000, now - now)
                return sorted(keys)

        return asyncio.run(read())


def _run_catalog(settings: Settings) -> None:
    sys.exit(run_flow("catalog", settings, once=False))
