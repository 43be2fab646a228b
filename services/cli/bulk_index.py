"""``looksync jobs bulk-index``: progress and report of a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from dataflows.jobs.bulk.rejected import FILE as REJECTED
from dataflows.jobs.bulk.status import Status
from dataflows.jobs.bulk_index import BulkJob, BulkReport, bulk_index
from operators.durable_files import replace_durably
from schemas.settings import Settings

MOST_REFUSED = 0.05
"""Share of refused rows above which the exit code is 1: the mapping or the file is wrong."""


def index_files(settings: Settings, job: BulkJob, console: Console) -> int:
    """Run the job, then print and store its report; the exit code.

    1 when it was stopped, when a file could not be read to its end, or when more than 5 % of the
    rows were refused.
    """
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("loading the model", total=None, rate="")
        first: list[tuple[float, int]] = []

        def show(status: Status) -> None:
            now = progress.get_time()
            first[:] = first or [(now, status.rows)]
            seconds, rows = now - first[0][0], status.rows - first[0][1]
            waits = {f"waiting for {wait.part}" for wait in status.waits}
            progress.update(
                task,
                description=", ".join(sorted(waits)) or "indexing",
                completed=status.rows,
                total=status.expected,
                rate=f"{rows / seconds:,.0f} rows/s" if seconds else "",
            )

        report = bulk_index(settings, job, show)
    facts = report_facts(report)
    path = job.folder / "report.json"
    replace_durably(path, json.dumps(facts, indent=2).encode())
    _print(facts, job.folder, console)
    return exit_code(report)


def exit_code(report: BulkReport) -> int:
    """1 when files or rows need attention, else 0."""
    checkpoint = report.checkpoint
    refused, rows = checkpoint.tally.refused.total(), checkpoint.tally.rows
    unread = any(state.problem for state in checkpoint.shards)
    return int(not checkpoint.finished or unread or refused > MOST_REFUSED * rows)


def report_facts(report: BulkReport) -> dict[str, Any]:
    """The report as it is stored; counts are over all starts of the job."""
    checkpoint = report.checkpoint
    tally, decisions = checkpoint.tally, checkpoint.tally.decisions
    return {
        "vendor": checkpoint.vendor,
        "finished": checkpoint.finished,
        "files": len(checkpoint.shards),
        "unread_files": {s.shard.path: s.problem for s in checkpoint.shards if s.problem},
        "rows": tally.rows,
        "indexed": decisions["created"] + decisions["re-embedded"],
        "decisions": dict(sorted(decisions.items())),
        "pictures_pending": dict(sorted(tally.pending.items())),
        "refused": dict(sorted(tally.refused.items())),
        "notes": dict(tally.notes.most_common()),
        "skipped": tally.skipped,
        "embeddings": tally.embeddings,
        "seconds": round(checkpoint.seconds, 1),
        "this_start": {
            "rows": report.rows,
            "embeddings": report.embeddings,
            "seconds": round(report.seconds, 1),
            "rows_per_second": round(report.rows / report.seconds, 1),
            "in_stage": {stage: round(mean, 2) for stage, mean in report.stages.items()},
        },
        "settled": checkpoint.settled,
    }


def _print(facts: dict[str, Any], folder: Path, console: Console) -> None:
    table = Table("", "rows", title=f"{facts['vendor']}: {facts['files']:,} files")
    table.add_row("read", f"{facts['rows']:,}")
    table.add_row("indexed", f"{facts['indexed']:,}")
    for decision, count in facts["decisions"].items():
        table.add_row(f"  {decision}", f"{count:,}")
    for reason, count in facts["pictures_pending"].items():
        table.add_row(f"picture pending: {reason}", f"{count:,}")
    for reason, count in facts["refused"].items():
        table.add_row(f"refused: {reason}", f"{count:,}")
    for note, count in facts["notes"].items():
        table.add_row(f"noted: {note}", f"{count:,}")
    if facts["skipped"]:
        table.add_row("skipped: no products", f"{facts['skipped']:,}")
    table.add_row("pictures embedded", f"{facts['embeddings']:,}")
    console.print(table)
    start = facts["this_start"]
    console.print(
        f"{start['rows']:,} rows in {start['seconds']:,} s, {start['rows_per_second']:,} a second",
        highlight=False,
    )
    busy = ", ".join(f"{stage} {mean}" for stage, mean in start["in_stage"].items())
    console.print(f"packets in each stage, on average: {busy}", highlight=False)
    for path, problem in facts["unread_files"].items():
        console.print(f"not read to its end: {path}: {problem}", markup=False, highlight=False)
    if facts["refused"]:
        console.print(f"refused rows: {folder / REJECTED}", markup=False, highlight=False)
    if not facts["finished"]:
        console.print("stopped; the same command goes on", highlight=False)
    if not facts["settled"]:
        console.print(
            "the catalog flow cannot start until the job has gone on: some rows that an earlier, "
            "killed start had begun are not done",
            highlight=False,
        )
