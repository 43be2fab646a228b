"""The two flows on Kafka topics of their own, on quick parts, as processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
import uuid
from dataclasses import dataclass, field
from io import StringIO
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from confluent_kafka.admin import AdminClient
from rich.console import Console

from dataflows.execution import execute
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.records import from_message
from operators.streaming.kafka.topic import KafkaTopic
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.topics import create
from tests.flows.flow_process import Interruption, open_catalog, open_looks

# Forked from a process that has imported the flows already: a start takes 50 ms instead of 1 s.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dataflows.catalog", "dataflows.looks"])


@dataclass(frozen=True)
class KafkaFlows:
    """Flows with topics, groups and folders of their own."""

    brokers: str
    base: Path
    partitions: int = 2
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def settings(self, folder: str = "recovery", **kafka: object) -> Settings:
        return load_settings(
            topics={
                "kind": "kafka",
                "brokers": self.brokers.split(","),
                "partitions": self.partitions,
                "updates": f"{self.prefix}.updates",
                "changes": f"{self.prefix}.changes",
                "looks": f"{self.prefix}.looks",
                "matches": f"{self.prefix}.matches",
                "interactions": f"{self.prefix}.interactions",
                "kafka": {
                    "group_prefix": self.prefix,
                    "replication": 1,
                    "session_timeout_seconds": 6,
                    **kafka,
                },
            },
            stream={
                "recovery_folder": self.base / folder,
                "epoch_seconds": 0.1,
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
        self,
        flow: str,
        settings: Settings | None = None,
        *,
        once: bool = False,
        interruption: Interruption | None = None,
    ) -> ForkServerProcess:
        arguments = (flow, settings or self.settings(), self.base, once, interruption)
        process = PROCESSES.Process(target=_run, args=arguments, daemon=True)
        process.start()
        return process

    def finish(self, flow: str, settings: Settings | None = None) -> None:
        """Run ``flow`` over the records on its topic; it ends with 0."""
        process = self.start(flow, settings, once=True)
        process.join(180)
        assert process.exitcode == 0

    def run(
        self, flow: str = "catalog", settings: Settings | None = None, *, once: bool = True
    ) -> int:
        """Run ``flow`` in this process, with ``once`` over the records on its topic; return its
        exit code."""
        return _execute(flow, settings or self.settings(), self.base, once=once)

    def replace(self, name: str) -> None:
        """Delete a topic and create it again."""
        admin, full = AdminClient({"bootstrap.servers": self.brokers}), self.topic(name).name
        admin.delete_topics([full])[full].result(10)
        while full in admin.list_topics(timeout=10).topics:
            time.sleep(0.05)
        self.create()


def _run(
    flow: str, settings: Settings, base: Path, once: bool, interruption: Interruption | None
) -> None:
    sys.exit(_execute(flow, settings, base, once=once, interruption=interruption))


def _execute(
    flow: str,
    settings: Settings,
    base: Path,
    *,
    once: bool,
    interruption: Interruption | None = None,
) -> int:
    stream = settings.stream
    if flow == "catalog":
        open_flow = open_catalog(base, interruption)
        return execute(flow, stream.catalog, settings, open_flow, once=once)
    return execute(flow, stream.looks, settings, open_looks(base, interruption), once=once)


def packet(
    product: str,
    version: int,
    *,
    refuse: bool = False,
    crash: bool = False,
    headers: dict[str, str] | None = None,
) -> Record:
    value = {
        "vendor": "acme",
        "product_id": product,
        "kind": "upsert",
        "version": version,
        "payload": {"refuse": refuse, "crash": crash},
    }
    return Record(f"acme:{product}", json.dumps(value).encode(), headers or {})
