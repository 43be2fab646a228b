"""``looksync ingest``: vendors' files -> packets on catalog.updates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dataflows.jobs.pull import Puller, printable
from dataflows.wiring.ledger import open_ledger
from dataflows.wiring.topics import open_topic
from operators.catalog.feeds.source import FeedSource
from operators.catalog.feeds.times import microseconds
from operators.catalog.ingest.absent import LiveProduct
from operators.catalog.ingest.rejects import RejectsFile
from operators.catalog.ingest.report import IngestReport
from operators.catalog.ingest.rows import Files, Rows
from operators.catalog.ingest.run import Send, Snapshot, ingest, ingest_snapshot
from operators.catalog.ingest.seen import SeenIds
from operators.catalog.mapping import Mapping
from operators.catalog.versions import MAX_CLOCK_SKEW
from schemas.catalog import LedgerEntry, PacketKind
from schemas.errors import Misconfigured
from schemas.settings import Settings

_PAGE = 500
"""Ledger entries per step of the event loop."""


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What is to be ingested, and how."""

    files: Sequence[str]
    """Paths, http(s) addresses, or `-` for standard input."""
    mapping: Mapping
    kind: PacketKind = PacketKind.UPSERT
    snapshot: bool = False
    as_of: datetime | None = None
    """When the files were true; None: now."""
    dry_run: bool = False
    force: bool = False
    rejects: Path | None = None
    max_refused: float = 0.05


def run_ingest(request: IngestRequest, settings: Settings) -> IngestReport:
    """Send the files' rows as packets.

    Raises Misconfigured, Unavailable, or InvalidFile for an address that has no file.
    """
    if request.snapshot and request.kind is not PacketKind.UPSERT:
        raise Misconfigured("--snapshot is of whole products: leave --patch and --delete out")
    if request.mapping.feed is None:
        raise Misconfigured(
            f"the mapping of {request.mapping.vendor} has no [feed] table with an id path"
        )
    report = IngestReport(
        topic=settings.topics.updates, dry_run=request.dry_run, max_refused=request.max_refused
    )
    with ExitStack() as stack:
        puller = stack.enter_context(Puller(settings.catalog))
        sources = _sources(request, puller, report)
        if not sources:
            return report
        rejects = None
        if request.rejects is not None:
            rejects = stack.enter_context(
                RejectsFile.open(request.rejects, request.mapping.feed, sources)
            )
        rows = Rows(
            Files(sources, request.mapping, _version(request), request.kind),
            stack.enter_context(SeenIds()),
            report,
            rejects,
        )
        send = _nowhere if request.dry_run else _send_to(settings)
        if request.snapshot:
            live = _live_products(request.mapping.vendor, settings)
            ingest_snapshot(
                rows, Snapshot(live, settings.catalog.max_absent_share, request.force), send
            )
        else:
            ingest(rows, send)
        if not report.failed and not request.dry_run:
            puller.remember()
    return report


def _sources(request: IngestRequest, puller: Puller, report: IngestReport) -> list[FeedSource]:
    """Where to read; addresses whose file has not changed are left out."""
    # A snapshot is of all files together: none of several can be left out.
    only_if_changed = not (request.force or (request.snapshot and len(request.files) > 1))
    purpose = f"{request.mapping.digest} {request.kind} {request.snapshot}"
    sources = []
    for name in request.files:
        if not name.lower().startswith(("http://", "https://")):
            sources.append(FeedSource.of(name))
            continue
        pulled = puller.pull(name, purpose, only_if_changed=only_if_changed)
        if pulled is None:
            report.unchanged.append(printable(name))
        else:
            sources.append(pulled)
    return sources


def _version(request: IngestRequest) -> int | None:
    if request.as_of is not None:
        if request.as_of > datetime.now(UTC) + MAX_CLOCK_SKEW:
            raise Misconfigured(f"--as-of {request.as_of.isoformat()}: lies in the future")
        return microseconds(request.as_of)
    if request.mapping.feed_version is not None:
        # Rows without a version are refused: the time of day may be none of the vendor's versions.
        return None
    return time.time_ns() // 1000


def _send_to(settings: Settings) -> Send:
    return open_topic(settings.topics, settings.topics.updates).append


def _nowhere(records: object) -> None:
    del records


def _live_products(vendor: str, settings: Settings) -> Iterator[LiveProduct]:
    """The vendor's products in the ledger, read page by page."""
    with asyncio.Runner() as runner:
        opened = open_ledger(settings)
        ledger = runner.run(opened.__aenter__())
        try:
            entries = aiter(ledger.scan(f"{vendor}:"))

            async def page() -> list[LedgerEntry]:
                found: list[LedgerEntry] = []
                while len(found) < _PAGE:
                    entry = await anext(entries, None)
                    if entry is None:
                        break
                    found.append(entry)
                return found

            while found := runner.run(page()):
                for entry in found:
                    product = LiveProduct.of(entry)
                    if product is not None:
                        yield product
        finally:
            runner.run(opened.__aexit__(None, None, None))
