"""The two flows on Kafka topics of their own, on quick parts, as processes of their own."""

from __future__ import annotations

import multiprocessing
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from bytewax.dataflow import Dataflow
from rich.console import Console

from dataflows import catalog
from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from operators.streaming.kafka_brokers import Brokers
from operators.streaming.kafka_topics import KafkaTopic
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.topics import create

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dataflows.catalog", "dataflows.looks"])


@dataclass(frozen=True)
class KafkaFlows:
    """Settings of flows whose topics, groups and folders nobody else has."""

    brokers: str
    base: Path
    partitions: int = 2
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def settings(self, processes: int = 1, ordinal: int = 0, **kafka: object) -> Settings:
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
                "recovery_folder": self.base / "recovery",
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
        return [record for p in range(topic.partitions) for record in topic.read(p)]
