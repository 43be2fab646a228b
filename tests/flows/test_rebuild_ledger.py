"""Redis is lost: the flow refuses to start, the ledger is rebuilt, a replay completes it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from dataflows.execution import MISCONFIGURED
from dataflows.jobs.rebuild_ledger import rebuild
from dataflows.run import run_flow
from dataflows.wiring.parts import open_ledger_repair
from evaluation.sandbox.index_comparison import compare_index
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server, stop_left_over
from operators.stores.redis.ledger import RedisLedger
from sandbox.life import World, draw_world
from schemas.catalog import LedgerEntry
from schemas.settings import Settings
from tests.flows.drawn_shop import send_packets, settings_in

UNTOLD = {"image_url"}
"""A change event does not say which of a product's pictures could be fetched."""
HISTORY = {"last_position", "last_decision", "changed_at"}
SILENT = {"version", "patched", "deleted_version"}
"""Fields that packets without a change set in the ledger."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A small world whose packets are on the topic, and the embedded parts in one folder."""

    world: World
    settings: Settings

    def run(self, flow: Literal["catalog", "looks"]) -> int:
        return run_flow(flow, self.settings, once=True)

    def lose_redis(self) -> None:
        """As a restart without its files does."""
        stop_left_over(self.settings.redis.folder)
        shutil.rmtree(self.settings.redis.folder)

    def forget_positions(self) -> None:
        """The flow begins with the first packet again."""
        shutil.rmtree(self.settings.stream.recovery_folder / "catalog")

    def ledger(self, without: set[str]) -> dict[str, dict[str, Any]]:
        async def read(ledger: RedisLedger) -> dict[str, dict[str, Any]]:
            return {e.key: e.model_dump(exclude=without) async for e in ledger.scan()}

        async def read_all() -> dict[str, dict[str, Any]]:
            client = open_redis(server.url)
            try:
                return await read(RedisLedger(client, self.settings.redis.reads))
            finally:
                await client.aclose()

        server = ensure_server(self.settings.redis.folder)
        try:
            return asyncio.run(read_all())
        finally:
            server.stop()

    def differences_from_truth(self) -> tuple[object, ...]:
        async def compare() -> tuple[object, ...]:
            async with open_ledger_repair(self.settings) as parts:
                truth = self.world.truth()
                return (
                    await compare_index(truth, parts.rebuild.index, parts.rebuild.ledger)
                ).differences

        return asyncio.run(compare())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    world = draw_world(tmp_path / "world", seed=5, products=60, looks=1)
    settings = settings_in(tmp_path)
    send_packets(world, settings)
    yield Shop(world, settings)
    stop_left_over(settings.redis.folder)


@pytest.mark.slow
def test_lost_refused_rebuilt_replayed(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert shop.run("catalog") == 0
    before = shop.ledger(UNTOLD)
    deleted = {key for key, entry in before.items() if not LedgerEntry(**entry).exists}
    assert deleted, "a world without deletions shows nothing"

    shop.lose_redis()
    for flow in ("catalog", "looks"):
        capsys.readouterr()
        assert shop.run(flow) == MISCONFIGURED
        assert "looksync jobs rebuild-ledger" in "".join(capsys.readouterr())
    shop.forget_positions()  # nor does a flow that starts afresh take the index's products for new
    assert shop.run("catalog") == MISCONFIGURED
    assert shop.ledger(UNTOLD) == {}, "a refusal leaves no trace"

    output = asyncio.run(rebuild(shop.settings))
    rebuilt = shop.ledger(UNTOLD)
    assert (output.not_indexed, output.known_by_index_only, output.deleted_but_indexed) == (
        0,
        0,
        [],
    )
    assert {key for key in before if key not in rebuilt} <= deleted, "tombstones without a change"
    for key, entry in rebuilt.items():
        differing = {name for name, value in entry.items() if value != before[key][name]}
        assert differing <= SILENT, key
        assert LedgerEntry(**entry).exists == LedgerEntry(**before[key]).exists
    assert output.products + output.tombstones == len(rebuilt)

    assert shop.run("catalog") == 0  # from the first packet, as its positions are gone
    assert shop.ledger(UNTOLD | HISTORY) == {
        key: {name: value for name, value in entry.items() if name not in HISTORY}
        for key, entry in before.items()
    }
    assert shop.differences_from_truth() == ()
