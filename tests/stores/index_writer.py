"""Fills an index in a process of its own and prints each acknowledged key.

Usage: python -m tests.stores.index_writer PATH VENDOR COUNT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from operators.stores.sqlite.index import SqliteIndex
from schemas.settings import BatchSettings
from tests.indexed_products import DIMENSION, FINGERPRINT, PLAIN, vector


async def main(path: Path, vendor: str, count: int) -> None:
    index = SqliteIndex.open(
        path,
        fingerprint=FINGERPRINT,
        dimension=DIMENSION,
        writes=BatchSettings(max_size=16, max_wait_ms=1.0),
    )
    numbers = iter(range(count))

    async def write() -> None:
        for number in numbers:
            key = f"{vendor}:{number}"
            await index.upsert(key, vector(key), PLAIN)
            print(key, flush=True)

    await asyncio.gather(*(write() for _ in range(16)))
    await index.close()


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
