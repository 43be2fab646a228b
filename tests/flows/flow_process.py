"""The two flows, on quick parts whose effects survive a kill, as processes of their own."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bytewax.dataflow import Dataflow

from dataflows import catalog, looks
from dataflows.execution import OpenFlow, execute
from dataflows.runtime import FlowRuntime
from operators.budget import Budget
from operators.catalog.apply import Applied
from operators.streaming.files.topic import FileTopic
from schemas.attributes import StandardAttributes
from schemas.catalog import Decision, Packet, Product, ProductChange, ProductUpdate
from schemas.errors import InvalidUpdate
from schemas.ids import change_event_id, matched_event_id
from schemas.looks import Look, LookMatches
from schemas.settings import Settings, load_settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def flow_settings(base: Path) -> Settings:
    return load_settings(
        topics={"folder": base / "topics", "partitions": 2},
        stream={
            "recovery_folder": base / "recovery",
            "epoch_seconds": 0.1,
            "catalog": {"window": 8},
            "looks": {"window": 8},
        },
    )


def topic(base: Path, name: str) -> FileTopic:
    opened = FileTopic(base / "topics", name)
    opened.create(2)
    return opened


class Effects:
    """What outlives the process: a table of (name, value), the first value of a name stays."""

    def __init__(self, base: Path) -> None:
        self._db = sqlite3.connect(
            base / "effects.sqlite", isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS effects (name TEXT PRIMARY KEY, value TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS calls (name TEXT)")

    def put(self, name: str, value: str) -> str:
        self._db.execute("INSERT OR IGNORE INTO effects VALUES (?, ?)", (name, value))
        self._db.execute("INSERT INTO calls VALUES (?)", (name,))
        (kept,) = self._db.execute("SELECT value FROM effects WHERE name = ?", (name,)).fetchone()
        return str(kept)

    def all(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM effects"))

    def calls(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM calls").fetchone()[0])

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        return self.put(name, owner)


def open_catalog(base: Path) -> OpenFlow:
    """Every packet is a change; one whose payload says so is refused."""
    effects = Effects(base)

    async def apply(packet: Packet, position: str) -> Applied:
        await asyncio.sleep(random.uniform(0, 0.02))
        if packet.payload.get("refuse"):
            raise InvalidUpdate("as asked")
        effects.put(position, f"{packet.key}@{packet.version}")
        product = Product(
            key=packet.key,
            vendor=packet.vendor,
            product_id=packet.product_id,
            version=packet.version,
            update=ProductUpdate(),
            attributes=StandardAttributes(),
            image_hash="",
        )
        change = ProductChange(
            event_id=change_event_id(packet.key, position),
            key=packet.key,
            decision=Decision.UPDATED,
            version=packet.version,
            changed_at=NOW,
            product=product,
        )
        return Applied(Decision.UPDATED, change, 0)

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        yield catalog.build(settings, apply, runtime)

    return open_flow


def run_catalog(base: Path, once: bool) -> None:
    settings = flow_settings(base)
    sys.exit(execute("catalog", settings.stream.catalog, settings, open_catalog(base), once=once))


def open_looks(base: Path) -> OpenFlow:
    """Every look is matched with nothing."""

    async def match(look: Look, budget: Budget) -> LookMatches:
        await asyncio.sleep(random.uniform(0, 0.02))
        return LookMatches(
            event_id=matched_event_id(look.look_id), look_id=look.look_id, matched_at=NOW
        )

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        yield looks.build(settings, match, Effects(base), runtime)

    return open_flow


def run_looks(base: Path, once: bool) -> None:
    settings = flow_settings(base)
    sys.exit(execute("looks", settings.stream.looks, settings, open_looks(base), once=once))
