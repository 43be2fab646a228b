"""The two flows on Kafka topics of their own, on quick parts, as processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import sys
import uuid
from dataclasses import dataclass, field
from io import StringIO
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from flows.flow_process import open_catalog, open_looks
from rich.console import Console

from dataflows.execution import execute
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.records import from_message
from operators.streaming.kafka.topic import KafkaTopic
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.topics import create

# Forked from a process that has imported the flows already: a start takes 50 ms instead of 1 s.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dataflows.catalog", "dataflows.looks"])


@dataclass(frozen=True)
class KafkaFlows:
    """Flows whose topics, groups and folders nobody else has."""

    brokers: str
    base: Path
    partitions: int = 2
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def settings(
        self, processes: int = 1, ordinal: int = 0, folder: str = "recovery", **kafka: object
    ) -> Settings:
        return load_settings(
            topics={
                "kind": "kafka",
                "brokers": self.brokers.split(","),
                "partitions": self.partitions,
                "updates": f"{self.prefix}.updates",
                "changes": f"{self.prefix}.changes",
                "looks": f"{self.prefix}.looks",
                "matches": f"{self.prefix}.matches",
                "kafka": {"group_prefix": self.prefix, "replication": 1, **kafka},
            },
            stream={
                "recovery_folder": self.base / folder,
                "epoch_seconds": 0.1,
                "processes": processes,
                "ordinal": ordinal,
                "catalog": {"window": 8},
                "looks": {"window": 8},
            },
        )

    def create(self) -> None:
        create(self.settings(), Console(file=StringIO()))

    def topic(self, name: str) -> KafkaTopic:
        return KafkaTopic(Brokers(self.settings().topics), f"{self.prefix}.{name}")

    def read(self, name: str) -> list[Record]:
        """All records of a topic, each partition's in order."""
        topic = self.topic(name)
        starts = dict.fromkeys(range(topic.partitions), 0)
        return [from_message(message) for message in topic.messages(starts)]

    def start(
        self, flow: str, settings: Settings | None = None, *, once: bool = False
    ) -> ForkServerProcess:
        process = PROCESSES.Process(
            target=_run, args=(flow, settings or self.settings(), self.base, once), daemon=True
        )
        process.start()
        return process

    def finish(self, flow: str, settings: Settings | None = None) -> None:
        """Run ``flow`` over what there is; it ends with 0."""
        process = self.start(flow, settings, once=True)
        process.join(60)
        assert process.exitcode == 0

    def run(self, flow: str = "catalog", settings: Settings | None = None) -> int:
        """Run ``flow`` over what there is, in this process; its exit code."""
        return _execute(flow, settings or self.settings(), self.base, once=True)


def _run(flow: str, settings: Settings, base: Path, once: bool) -> None:
    sys.exit(_execute(flow, settings, base, once=once))


def _execute(flow: str, settings: Settings, base: Path, *, once: bool) -> int:
    stream = settings.stream
    if flow == "catalog":
        return execute(flow, stream.catalog, settings, open_catalog(base), once=once)
    return execute(flow, stream.looks, settings, open_looks(base), once=once)


def packet(
    product: str, version: int, *, refuse: bool = False, headers: dict[str, str] | None = None
) -> Record:
    value = {
        "vendor": "acme",
        "product_id": product,
        "kind": "upsert",
        "version": version,
        "payload": {"refuse": refuse},
    }
    return Record(f"acme:{product}", json.dumps(value).encode(), headers or {})
