"""Bulk indexing against the catalog flow and the bare encoder loop on the same pictures.

    python -m benchmarks.bulk_index [PRODUCTS]

One vendor's file of a drawn world is indexed three times, each into an empty index: by the job, by
the flow after the same rows were put on its topic, and by a loop that only reads, decodes and
embeds the pictures, with the job's batch size. Rates come from the timestamps of the changes, which
excludes start-up; the job's whole time after the loading of the model is printed, too.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.catalog_throughput import bare_rate
from benchmarks.drawn_world import publish, records_of
from dataflows.jobs.bulk_index import BulkJob, bulk_index, with_large_batches
from dataflows.run import run_flow
from operators.catalog.feeds.read import ReadPacket, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.mapping import load_mappings
from sandbox.life import draw_world, write_feed_files
from schemas.catalog import ProductChange
from schemas.records import Record
from schemas.settings import Settings, load_settings

VENDOR = "zari"


def settings_in(folder: Path, world: Path) -> Settings:
    return load_settings(
        topics={"folder": folder / "topics"},
        stream={"recovery_folder": folder / "recovery"},
        images={"allowed_roots": [world], "http_cache": None},
        index={"path": folder / "index.sqlite"},
        redis={"folder": folder / "valkey"},
        thumbnails={"url": str(folder / "thumbnails")},
    )


def packets(file: Path) -> Iterator[Record]:
    for row in read_feed(FeedSource.of(str(file)), load_mappings()[VENDOR], version=1):
        if isinstance(row, ReadPacket):
            yield Record(row.packet.key, row.packet.model_dump_json().encode())


def embedded(settings: Settings) -> tuple[list[str], float]:
    """The URLs of the pictures embedded, and pictures per second."""
    changes = [
        ProductChange.model_validate_json(record.value)
        for record in records_of(settings, settings.topics.changes)
    ]
    times = sorted(change.changed_at for change in changes)
    urls = [change.product.update.image_urls[0] for change in changes if change.product]
    return urls, len(urls) / (times[-1] - times[0]).total_seconds()


def main(products: int = 3000) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = draw_world(folder / "world", seed=11, products=products, looks=1)
        files = write_feed_files(world, folder / "feeds")
        file = next(path for path in files if path.stem == VENDOR)

        of_job = settings_in(folder / "job", folder / "world")
        job = BulkJob(load_mappings()[VENDOR], [file], folder / "job" / "state")
        report = bulk_index(of_job, job, lambda status: None)
        urls, job_rate = embedded(of_job)

        of_flow = settings_in(folder / "flow", folder / "world")
        publish(of_flow, of_flow.topics.updates, packets(file))
        run_flow("catalog", of_flow, once=True)
        _, flow_rate = embedded(of_flow)

        bare = asyncio.run(bare_rate(urls, with_large_batches(of_job)))
    print(f"pictures embedded   {report.embeddings:>8,} of {report.rows:,} rows")
    print(f"bare encoder loop   {bare:>8.1f} pictures/s")
    print(f"bulk-index          {job_rate:>8.1f} pictures/s; in all {report.seconds:.1f} s")
    print(f"catalog flow        {flow_rate:>8.1f} pictures/s")
    print(f"bulk-index / bare   {job_rate / bare:>8.2f}, / flow {job_rate / flow_rate:.2f}")
    print(f"packets per stage   {report.stages}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
