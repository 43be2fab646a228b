"""The two flows as separate processes, with fast doubles whose effects survive a kill."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
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
from schemas.errors import InvalidUpdate, LookSyncError
from schemas.ids import change_event_id, matched_event_id
from schemas.looks import Look, LookMatches
from schemas.settings import Settings, load_settings

LOCK_SECONDS = 30.0
"""Longest wait for the lock of another process: on a busy machine writes are slow."""

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def flow_settings(base: Path, epoch_seconds: float = 0.1) -> Settings:
    return load_settings(
        topics={"folder": base / "topics", "partitions": 2},
        stream={
            "recovery_folder": base / "recovery",
            "epoch_seconds": epoch_seconds,
            "catalog": {"window": 8},
            "looks": {"window": 8},
        },
    )


def topic(base: Path, name: str) -> FileTopic:
    opened = FileTopic(base / "topics", name)
    opened.create(2)
    return opened


@dataclass
class Interruption:
    """When a process is ready to be killed: in its ``at``-th call, counted from 1, which ends when
    ``release`` is set; with 0, as soon as the flow is opened."""

    at: int
    ready: Event
    release: Event | None = None
    calls: int = 0

    def on_open(self) -> None:
        if self.at == 0:
            self.ready.set()

    async def on_call(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.ready.set()
            if self.release is None:
                await asyncio.Event().wait()
            else:
                await asyncio.to_thread(self.release.wait)


class Effects:
    """What survives the process: a table of (name, value), where the first value of a name stays,
    and logs of the calls that began and of those that had their effect."""

    def __init__(self, base: Path) -> None:
        self._db = sqlite3.connect(
            base / "effects.sqlite",
            timeout=LOCK_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS effects (name TEXT PRIMARY KEY, value TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS begun (name TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS calls (name TEXT)")

    def put(self, name: str, value: str) -> str:
        self._db.execute("INSERT OR IGNORE INTO effects VALUES (?, ?)", (name, value))
        self._db.execute("INSERT INTO calls VALUES (?)", (name,))
        (kept,) = self._db.execute("SELECT value FROM effects WHERE name = ?", (name,)).fetchone()
        return str(kept)

    def can_write(self) -> bool:
        """Whether no process holds the lock for longer than writes take."""
        try:
            self._db.execute("PRAGMA busy_timeout=1000")
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        self._db.execute("ROLLBACK")
        return True

    def all(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM effects"))

    def calls(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM calls").fetchone()[0])

    def begin(self, name: str) -> None:
        self._db.execute("INSERT INTO begun VALUES (?)", (name,))

    def begun_again(self) -> int:
        query = "SELECT count(*) - count(DISTINCT name) FROM begun"
        return int(self._db.execute(query).fetchone()[0])

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        return self.put(name, owner)


def open_catalog(base: Path, interruption: Interruption | None = None) -> OpenFlow:
    """Every packet is a change; those whose payload says so are refused or crash the process. About
    two thirds are applied in batches."""
    effects = Effects(base)

    async def apply(packet: Packet, position: str) -> Applied:
        effects.begin(position)
        if interruption is not None:
            await interruption.on_call()
        await asyncio.sleep(random.uniform(0, 0.02))
        if packet.payload.get("crash"):
            crash()
        if packet.payload.get("refuse"):
            raise InvalidUpdate("as asked")
        return take_effect(packet, position)

    async def apply_batch(packets: Sequence[tuple[Packet, str]]) -> list[Applied | None]:
        await asyncio.sleep(random.uniform(0, 0.02))
        outcomes: list[Applied | None] = []
        left: set[str] = set()
        for packet, position in packets:
            if packet.key in left or packet.payload or random.random() < 0.3:
                left.add(packet.key)
                outcomes.append(None)
                continue
            effects.begin(position)
            if interruption is not None:
                await interruption.on_call()
            outcomes.append(take_effect(packet, position))
        return outcomes

    def take_effect(packet: Packet, position: str) -> Applied:
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
        if interruption is not None:
            interruption.on_open()
        yield catalog.build(settings, apply, runtime, apply_batch)

    return open_flow


def run_catalog(base: Path, interruption: Interruption | None) -> None:
    """Run the flow until it is killed; without ``interruption``, over what there is."""
    settings = flow_settings(base, epoch_seconds=0.02)
    open_flow = open_catalog(base, interruption)
    once = interruption is None
    sys.exit(execute("catalog", settings.stream.catalog, settings, open_flow, once=once))


def open_looks(base: Path, interruption: Interruption | None = None) -> OpenFlow:
    """Every look is matched with nothing; those of the user "crash" crash the process."""
    effects = Effects(base)

    async def match(look: Look, budget: Budget) -> LookMatches:
        effects.begin(look.look_id)
        if interruption is not None:
            await interruption.on_call()
        await asyncio.sleep(random.uniform(0, 0.02))
        if look.user_id == "crash":
            crash()
        return LookMatches(
            event_id=matched_event_id(look.look_id), look_id=look.look_id, matched_at=NOW
        )

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        if interruption is not None:
            interruption.on_open()
        yield looks.build(settings, match, refuse, effects, runtime)

    return open_flow


def crash() -> None:
    """As a fault in native code does."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse(look: Look, error: LookSyncError) -> LookMatches:
    return LookMatches(
        event_id=matched_event_id(look.look_id),
        look_id=look.look_id,
        user_id=look.user_id,
        refused=error.reason,
        matched_at=NOW,
    )


def run_looks(base: Path, interruption: Interruption | None) -> None:
    """Run the flow until it is killed; without ``interruption``, over what there is."""
    settings = flow_settings(base, epoch_seconds=0.02)
    open_flow = open_looks(base, interruption)
    once = interruption is None
    sys.exit(execute("looks", settings.stream.looks, settings, open_flow, once=once))
