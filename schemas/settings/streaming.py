"""Topics, Kafka and the flows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from schemas.settings.base import Section


class KafkaSettings(Section):
    """How Kafka is reached, and what its topics are created with."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = Field(None, description="PEM; None: the system's authorities.")
    certificate_file: Path | None = Field(None, description="PEM, for brokers that ask for one.")
    key_file: Path | None = Field(None, description="PEM, of the certificate.")
    key_password: SecretStr | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    group_prefix: str = Field(
        "looksync", description="A flow's consumer group is PREFIX.FLOW, e.g. looksync.catalog."
    )
    accept_gaps: bool = Field(
        False, description="Go on when records were deleted before they were read."
    )
    take_over: bool = Field(
        False,
        description="Go on with partitions whose process ended without draining and does not "
        "come back; what it had in flight may be seen twice.",
    )
    delivery_timeout_seconds: float = Field(
        300.0, gt=0, description="An outage longer than this stops the flow; nothing is lost."
    )
    timeout_seconds: float = Field(15.0, gt=0, description="Of a question to the brokers.")
    max_record_bytes: int = Field(
        8 * 2**20, gt=0, description="Of a topic when created; a look may bring its picture."
    )
    replication: int = Field(3, ge=1, description="Copies of each partition, when created.")
    retention_hours: float = Field(
        168.0, gt=0, description="Of topics that are not compacted, when created."
    )
    dead_letter_retention_hours: float = Field(
        720.0, gt=0, description="Of dead letters: time for people to look at them."
    )


class TopicSettings(Section):
    kind: Literal["file", "kafka"] = "file"
    folder: Path = Field(Path("var/topics"), description="File topics: a folder per topic.")
    partitions: int = Field(2, ge=1, le=512, description="Of a topic when it is created.")
    brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    kafka: KafkaSettings = KafkaSettings()
    updates: str = "catalog.updates"
    changes: str = "catalog.changes"
    looks: str = "looks.generated"
    matches: str = "looks.matched"

    def dead_letters(self, topic: str) -> str:
        """The dead-letter topic of ``topic``."""
        return f"{topic}.dlq"


class FlowSettings(Section):
    window: int = Field(64, ge=1, description="Items in flight per worker.")
    deadline_seconds: float = Field(30.0, gt=0, description="Per item, waits for parts included.")
    attempts: int = Field(
        3, ge=1, description="Tries of an item whose remote picture is unavailable."
    )
    metrics_address: str = Field("127.0.0.1", description="0.0.0.0 in a container.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Metrics and health; 0: off.")


class LookFlowSettings(FlowSettings):
    window: int = Field(
        2, ge=1, description="Looks in flight per worker; more than the cores only wait."
    )
    deadline_seconds: float = Field(5.0, gt=0, description="A look's whole time budget.")


class StreamSettings(Section):
    recovery_folder: Path = Path("var/recovery")
    epoch_seconds: float = Field(1.0, gt=0, description="Snapshot interval.")
    processes: int = Field(1, ge=1, description="That share each flow's partitions (Kafka only).")
    ordinal: int = Field(
        0,
        ge=0,
        description="Which of them this is, from 0: it has each partition p with "
        "p % processes == ordinal.",
    )
    catalog: FlowSettings = FlowSettings()
    looks: LookFlowSettings = LookFlowSettings()
