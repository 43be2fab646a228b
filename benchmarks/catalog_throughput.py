"""Throughput of the catalog flow relative to the bare encoder, on the same pictures in one run.

    python -m benchmarks.catalog_throughput [PRODUCTS]

The bare loop only reads, decodes and embeds the pictures that the flow embeds, with the same batch
size and decoder. The flow's rate comes from the timestamps of its changes, which excludes start-up.
"""

from __future__ import annotations

import asyncio
import sys
import time

from benchmarks.drawn_world import drawn_world, records_of
from dataflows.run import run_flow
from operators.images.fetch import PictureFetcher
from operators.models.load_encoder import load_encoder
from schemas.catalog import Decision, ProductChange
from schemas.looks import ImageReference
from schemas.settings import Settings


async def bare_rate(urls: list[str], settings: Settings) -> float:
    """Return pictures per second."""
    encoder, pictures = load_encoder(settings.encoder), PictureFetcher(settings.images)
    batch = settings.encoder.images.max_size

    async def embed(url: str) -> None:
        picture = await pictures.fetch(ImageReference(url=url))
        await encoder.encode_image(picture.image)

    await asyncio.gather(*map(embed, urls[:batch]))
    started = time.perf_counter()
    for first in range(0, len(urls), batch):
        await asyncio.gather(*map(embed, urls[first : first + batch]))
    elapsed = time.perf_counter() - started
    await encoder.close()
    await pictures.close()
    return len(urls) / elapsed


def main(products: int = 1000) -> None:
    with drawn_world(products, looks=1) as (_, settings):
        run_flow("catalog", settings, once=True)
        changes = [
            ProductChange.model_validate_json(record.value)
            for record in records_of(settings, settings.topics.changes)
        ]
        embedded = [
            change.product.update.image_urls[0]
            for change in changes
            if change.decision in (Decision.CREATED, Decision.REEMBEDDED) and change.product
        ]
        times = sorted(change.changed_at for change in changes)
        seconds = (times[-1] - times[0]).total_seconds()
        flow = len(embedded) / seconds
        bare = asyncio.run(bare_rate(embedded, settings))
    print(f"pictures embedded      {len(embedded):>8,}, changes {len(changes):,}")
    print(f"bare encoder loop      {bare:>8.1f} pictures/s")
    print(f"catalog flow           {flow:>8.1f} pictures/s, {len(changes) / seconds:.1f} changes/s")
    print(f"flow / bare            {flow / bare:>8.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
