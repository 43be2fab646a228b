"""``looksync demo``: the whole system on a drawn world, and its metrics.

Draw a world, put its packets on catalog.updates and its looks on looks.generated, run each flow as
a process until it has processed everything, then evaluate the output against the truth.
"""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from dataflows.wiring.embedded import embedded_services
from operators.stores.redis.embedded_server import stop_left_over
from operators.streaming.files.topic import FileTopic
from sandbox.life import World
from schemas.errors import LookSyncError, Misconfigured
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.console import console
from services.cli.evaluate import REPORT, judge, write_counts
from services.cli.world import draw, progress_bars
from services.processes import Child, free_port, start_looksync

CONFIG = "looksync.toml"
HANDLED = "looksync_stage_seconds_count"
"""Counts the records that were handled (see operators.streaming.health.metrics)."""


def run_demo(folder: Path, *, seed: int, products: int, looks: int) -> int:
    """Run everything in ``folder`` (emptied first); 0 when all guarantees held, else 1."""
    started = time.monotonic()
    _empty(folder)
    world = draw(folder / "world", seed=seed, products=products, looks=looks)
    settings = _configure(folder, world)
    with embedded_services(settings):
        topics = settings.topics
        _run_flow(
            "catalog", topics.updates, world.packet_records(), world.packets, folder, settings
        )
        _run_flow(
            "looks", topics.looks, world.look_event_records(), world.look_records, folder, settings
        )
        return judge(folder, settings, console, seconds=time.monotonic() - started)


def _empty(folder: Path) -> None:
    """Remove an earlier demo. Raises Misconfigured when the folder holds anything else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / CONFIG).exists():
        raise Misconfigured(f"{folder} is not empty and not an earlier demo; choose another folder")
    stop_left_over(folder / "valkey")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Created first, so that the next demo recognises one that was interrupted.
    (folder / CONFIG).touch()


def _configure(folder: Path, world: World) -> Settings:
    """Write the demo's settings file, which later commands can use, and load it."""
    home = folder.resolve()
    text = f"""\
# Settings of this demo: looksync --config {folder / CONFIG} match IMAGE
[topics]
folder = {json.dumps(str(home / "topics"))}
[stream]
recovery_folder = {json.dumps(str(home / "recovery"))}
[images]
allowed_roots = [{json.dumps(str(world.folder))}]
http_cache = {json.dumps(str(home / "http-cache"))}
[index]
path = {json.dumps(str(home / "index.sqlite"))}
[redis]
folder = {json.dumps(str(home / "valkey"))}
[api]
evaluation = {json.dumps(str(home / REPORT))}
[thumbnails]
url = {json.dumps(str(home / "thumbnails"))}
"""
    (folder / CONFIG).write_text(text, encoding="utf-8")
    return load_settings(folder / CONFIG)


def _run_flow(
    flow: str,
    topic: str,
    records: Iterator[Record],
    total: int,
    folder: Path,
    settings: Settings,
) -> None:
    """Put ``records`` on ``topic`` and run ``flow`` until it has drained, with a progress bar."""
    source = FileTopic(settings.topics.folder, topic)
    source.create(settings.topics.partitions)
    source.append(records)
    port = free_port()
    child = start_looksync(
        flow,
        ["--config", str(folder / CONFIG), "run", flow, "--once"],
        folder / "logs" / f"{flow}.log",
        {
            f"LOOKSYNC_STREAM__{flow.upper()}__METRICS_PORT": str(port),
            "LOOKSYNC_LOG_FORMAT": "json",
        },
    )
    try:
        with progress_bars() as bars:
            task = bars.add_task(f"{flow} flow", total=total)
            while child.exit_code is None:
                time.sleep(0.5)
                bars.update(task, completed=min(total, _fetch_handled(port)))
            if child.exit_code == 0:
                bars.update(task, completed=total)
    finally:
        code = child.stop()
    if code != 0:
        raise FlowFailed(f"the {flow} flow ended with exit code {code}:\n{child.log_tail()}")
    write_counts(folder, flow, _counts(child))


class FlowFailed(LookSyncError):
    """A flow of the demo failed; the message has the end of its log."""


def _fetch_handled(port: int) -> int:
    """Records handled so far, from the flow's metrics; 0 while the flow does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            text = answer.read().decode()
    except OSError:
        return 0
    return sum(
        int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == HANDLED and sample.labels["stage"] == "record"
    )


def _counts(child: Child) -> dict[str, object]:
    """The counters that a flow logs at its end."""
    for line in reversed(child.log.read_text(encoding="utf-8").splitlines()):
        if line.startswith("{"):
            event = json.loads(line)
            if event.get("event") == "flow ended":
                return dict(event["counts"])
    raise FlowFailed(f"the {child.name} flow did not log its counters; its log is {child.log}")
