"""A process that fills an index: index_writer.py PATH VENDOR COUNT. Prints acknowledged keys."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from indexed_products import DIMENSION, FINGERPRINT, PLAIN, vector

from operators.stores.sqlite.index import SqliteIndex
from schemas.settings import BatchSettings


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
