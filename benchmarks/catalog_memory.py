"""Memory of the catalog flow as the catalog grows: the process, the ledger, the index file.

    python -m benchmarks.catalog_memory [PRODUCTS ...]        default: 1000 10000 100000

Only 300 styles have a picture of their own, and each picture is embedded once: more products do not
mean more work for the model. Each size runs in its own process.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from bytewax.dataflow import Dataflow
from PIL.Image import Image

from benchmarks.drawn_world import drawn_world
from dataflows.catalog import NAME, build
from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from dataflows.wiring.embedded import embedded_services
from dataflows.wiring.parts import open_catalog_parts
from operators.catalog.apply import apply_packet
from operators.ports import ImageTextEncoder, Vector
from operators.stores.redis.client import open_redis
from schemas.settings import Settings

PICTURED = 300


class MemoisingEncoder:
    """Embeds equal pictures once."""

    def __init__(self, encoder: ImageTextEncoder) -> None:
        self._encoder = encoder
        self._known: dict[bytes, Vector] = {}
        self.fingerprint, self.dimension = encoder.fingerprint, encoder.dimension
        self.reads_text = encoder.reads_text
        self.finds_layers = encoder.finds_layers
        self.encode_text, self.encode_patches = encoder.encode_text, encoder.encode_patches

    async def encode_image(self, image: Image) -> Vector:
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = await self._encoder.encode_image(image)
        return self._known[digest]


@contextmanager
def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
    """Open the catalog flow with a memoising encoder."""
    with runtime.lane.thread.hold(open_catalog_parts(settings, runtime.metrics)) as parts:
        quick = replace(parts, encoder=MemoisingEncoder(parts.encoder))
        yield build(settings, partial(apply_packet, parts=quick), runtime)


async def ledger_bytes(url: str) -> int:
    """Return the bytes of memory that the ledger's server uses for its data."""
    client = open_redis(url)
    used = (await client.info("memory"))["used_memory_dataset"]
    await client.aclose()
    return int(used)


def measure(products: int) -> None:
    with (
        drawn_world(products, looks=1, pictured=PICTURED) as (world, settings),
        embedded_services(settings) as url,
    ):
        started = time.perf_counter()
        execute(NAME, settings.stream.catalog, settings, open_flow, once=True)
        seconds = time.perf_counter() - started
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ledger = asyncio.run(ledger_bytes(url))
        index = settings.index.path.stat().st_size
        print(
            f"{products:>9,} {world.packets / seconds:>10.0f} {peak_mib:>9.0f} "
            f"{ledger / products:>16.0f} {index / products:>15.0f}",
            flush=True,
        )


def main(sizes: list[int]) -> None:
    print(" products  packets/s  peak MiB  ledger B/product  index B/product", flush=True)
    for size in sizes:
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(size,))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [1_000, 10_000, 100_000])
