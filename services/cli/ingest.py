"""``looksync ingest``: parsing its options, and the report."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from dataflows.wiring.command_redis import open_command_redis
from operators.catalog.feeds.times import parse_time
from operators.catalog.ingest.report import IngestReport
from operators.catalog.mapping import Mapping
from operators.stores.redis.feed_runs import RedisFeedRuns
from schemas.errors import InvalidUpdate, LookSyncError, Misconfigured
from schemas.feed_runs import FeedRun
from schemas.settings import Settings
from services.cli.console import as_text


def parse_as_of(text: str | None, mapping: Mapping) -> datetime | None:
    """The time in ``text``; without an offset it is of the mapping's ``feed.time_zone``."""
    if text is None:
        return None
    try:
        return parse_time(text, None, mapping.feed.time_zone if mapping.feed else None)
    except InvalidUpdate as error:
        raise Misconfigured(
            f"--as-of {text}: give a time with its offset from UTC, such as 2026-11-25T02:00Z, or "
            "set feed.time_zone in the mapping"
        ) from error


def parse_share(text: str) -> float:
    """``5%`` or ``0.05``. Raises Misconfigured."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise Misconfigured(f"--max-refused {text}: give a share such as 5% or 0.05")
    return share


def print_report(report: IngestReport, console: Console) -> None:
    """Print counts, refused and repeated rows, and failures."""
    for name in report.unchanged:
        say(console, f"{name}: has not changed since it was last ingested")
    table = Table("rows and packets", "", highlight=False)
    table.add_row("rows read", f"{report.read:,}")
    table.add_row(
        "would be sent" if report.dry_run else f"sent to {report.topic}", f"{report.sent:,}"
    )
    if report.known is not None:
        gone = 0 if report.withheld else report.absent
        table.add_row("  of these deletions of absent products", f"{gone:,} of {report.known:,}")
    table.add_row("refused", f"{report.rows_refused:,} ({report.refused_share:.1%})")
    for reason, rows in report.refused.most_common():
        table.add_row(f"  {reason}", f"{rows:,}")
    if report.skipped:
        table.add_row("no products, by feed.skip", f"{report.skipped:,}")
    table.add_row("repeated ids", f"{report.repeated:,}")
    for (field, reason), rows in report.notes.most_common():
        table.add_row(f"note: {field}: {reason}", f"{rows:,}")
    console.print(table)
    if report.never_present:
        say(console, f"no row has a value for: {', '.join(report.never_present)}")
    for file, row in report.first_refused:
        if row.reason != "repeated-id":  # reported below
            say(console, f"{file}: line {row.line}: {row.reason}: {row.message}")
    if (more := report.rows_refused - len(report.first_refused)) > 0:
        say(console, f"and {more:,} more refused rows (--rejects FILE writes them all)")
    for repeat in report.first_repeated:
        what = "the same row" if repeat.same else "another row"
        say(console, f"{repeat.place}: {repeat.key} again, {what} as at {repeat.first}")
    if (more := report.repeated - len(report.first_repeated)) > 0:
        say(console, f"and {more:,} more repeated ids")
    if report.first_absent:
        more = report.absent - len(report.first_absent)
        say(
            console,
            f"absent: {', '.join(report.first_absent)}{f' and {more:,} more' if more else ''}",
        )


def failures_of(report: IngestReport) -> list[str]:
    """Why the run has failed, if it has."""
    failures = list(report.broken)
    if report.too_many_refused:
        failures.append(
            f"{report.refused_share:.1%} of the rows were refused, more than --max-refused = "
            f"{report.max_refused:.1%}"
        )
    if report.withheld is not None:
        failures.append(f"no absent product was deleted: {report.withheld}")
    return failures


def print_failures(report: IngestReport, errors: Console) -> None:
    """Print why the run has failed, if it has, and what was sent nevertheless."""
    for failure in failures_of(report):
        say(errors, failure)
    if report.broken and not report.dry_run:
        say(
            errors,
            f"{report.sent:,} packets were sent all the same"
            if report.sent
            else "nothing was sent",
        )


def note_run(report: IngestReport, vendor: str, settings: Settings, errors: Console) -> None:
    """Keep the run for the operator page; if that is impossible, say so: it was done all the
    same."""
    run = FeedRun(
        vendor=vendor,
        at=datetime.now(UTC),
        read=report.read,
        sent=report.sent,
        refused=dict(report.refused),
        failures=tuple(failures_of(report)),
    )

    async def write() -> None:
        async with open_command_redis(settings) as redis:
            await RedisFeedRuns(redis).note(run)

    try:
        asyncio.run(write())
    except LookSyncError as error:
        say(errors, f"the run is not noted for the operator page: {error}")


def say(console: Console, text: str) -> None:
    """Print ``text`` as it is."""
    console.print(as_text(text), highlight=False, soft_wrap=True)
