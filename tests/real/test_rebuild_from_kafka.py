"""A lost ledger is rebuilt from a real catalog.changes: each product's last change wins."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dataflows.jobs.rebuild_ledger import rebuild
from dataflows.wiring.parts import open_ledger_repair
from dataflows.wiring.topics import open_topic
from operators.stores.redis.ledger_identity import KEY
from schemas.attributes import StandardAttributes
from schemas.catalog import Decision, Product, ProductChange, ProductUpdate
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.topics import create
from tests.real.real_servers import RealKafka, RealRedis

pytestmark = pytest.mark.services


@pytest.fixture
def settings(kafka: RealKafka, redis_server: RealRedis, tmp_path: Path) -> Settings:
    own = uuid.uuid4().hex[:8]
    made = load_settings(
        topics={
            "kind": "kafka",
            "brokers": [kafka.brokers],
            "kafka": {"replication": 1},
            **{name: f"{own}.{name}" for name in ("updates", "changes", "looks", "matches")},
        },
        index={"path": tmp_path / "index.sqlite"},
        redis={"kind": "url", "url": redis_server.url.removesuffix("/0") + "/8"},
    )
    create(made, Console(file=StringIO()))
    return made


def change(key: str, version: int, *, gone: bool = False) -> Record:
    product = Product(
        key=key,
        vendor="zari",
        product_id=key.removeprefix("zari:"),
        version=version,
        update=ProductUpdate(title=f"{key} of version {version}"),
        attributes=StandardAttributes(),
        image_hash="00ff",
    )
    output = ProductChange(
        event_id=uuid.uuid4(),
        key=key,
        decision=Decision.DELETED if gone else Decision.UPDATED,
        version=version,
        changed_at=datetime.now(UTC),
        product=None if gone else product,
        upsert_version=None if gone else version,
    )
    return Record(key, output.model_dump_json().encode())


async def test_every_partition_is_read_to_its_end(settings: Settings) -> None:
    products = [f"zari:{number}" for number in range(40)]
    open_topic(settings.topics, settings.topics.changes).append(
        [
            *(change(key, version) for version in (1, 2) for key in products),
            Record("zari:0", b"not a change"),
            change("zari:7", 3, gone=True),
        ]
    )
    rebuilt = await rebuild(settings)
    assert (rebuilt.changes, rebuilt.not_indexed, rebuilt.tombstones) == (81, 39, 1)
    async with open_ledger_repair(settings) as parts:
        entries = {entry.key: entry async for entry in parts.rebuild.ledger.scan()}
        assert entries.keys() == set(products)
        assert not entries.pop("zari:7").exists
        assert {entry.update.title for entry in entries.values()} == {
            f"{key} of version 2" for key in entries
        }
        assert await parts.client.get(KEY) is not None
        await parts.client.flushdb()
