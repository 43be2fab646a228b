"""Topics, Kafka and the flows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from schemas.settings.base import Section


class KafkaSettings(Section):
    """The connection to Kafka, and the configuration of new topics."""

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = Field(None, description="PEM; null: the system's CAs.")
    certificate_file: Path | None = Field(None, description="PEM, for brokers that require one.")
    key_file: Path | None = Field(None, description="PEM, of the certificate.")
    key_password: SecretStr | None = None
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    group_prefix: str = Field(
        "looksync", description="A flow's consumer group is PREFIX.FLOW, e.g. looksync.catalog."
    )
    accept_gaps: bool = Field(
        False, description="Continue when records were deleted before they were read."
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        "classic",
        description="consumer: KIP-848, for brokers from Kafka 4.0 on; they then set the session "
        "timeout (group.consumer.session.timeout.ms, 45 s).",
    )
    session_timeout_seconds: float = Field(
        10.0,
        ge=6.0,
        description="After which the partitions of a process that died go to others; brokers "
        "accept no less than 6 (group.min.session.timeout.ms).",
    )
    drain_seconds: float = Field(
        2.0,
        ge=0,
        description="How long a partition that moves to another process waits for calls in "
        "progress; longer ones are cancelled and made again there.",
    )
    delivery_timeout_seconds: float = Field(
        300.0,
        gt=0,
        description="A flow with outputs that it cannot commit for this long stops; nothing is "
        "lost. A flow that Kafka's outage has cost its partitions waits.",
    )
    timeout_seconds: float = Field(15.0, gt=0, description="Of one request to the brokers.")
    max_record_bytes: int = Field(
        8 * 2**20, gt=0, description="Of new topics; a look may contain its picture."
    )
    replication: int = Field(3, ge=1, description="Replicas of each partition of a new topic.")
    retention_hours: float = Field(168.0, gt=0, description="Of new topics that are not compacted.")
    dead_letter_retention_hours: float = Field(
        720.0, gt=0, description="Of new dead-letter topics: time to inspect the letters."
    )


class TopicSettings(Section):
    kind: Literal["file", "kafka"] = "file"
    folder: Path = Field(Path("var/topics"), description="File topics: one folder per topic.")
    partitions: int = Field(2, ge=1, le=512, description="Of new topics.")
    brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    kafka: KafkaSettings = KafkaSettings()
    updates: str = "catalog.updates"
    changes: str = "catalog.changes"
    looks: str = "looks.generated"
    matches: str = "looks.matched"
    interactions: str = "interactions"

    def dead_letters(self, topic: str) -> str:
        """The dead-letter topic of ``topic``."""
        return f"{topic}.dlq"


class FlowSettings(Section):
    window: int = Field(64, ge=1, description="Items in flight per worker.")
    deadline_seconds: float = Field(
        30.0, gt=0, description="Per item, including waits for servers."
    )
    attempts: int = Field(
        3, ge=1, description="Attempts of an item whose remote picture is unavailable."
    )
    metrics_address: str = Field("127.0.0.1", description="0.0.0.0 in a container.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Metrics and health; 0: off.")


class LookFlowSettings(FlowSettings):
    window: int = Field(
        2, ge=1, description="Looks in flight per worker; more than the CPU cores only queue up."
    )
    deadline_seconds: float = Field(5.0, gt=0, description="A look's whole time budget.")


class StreamSettings(Section):
    recovery_folder: Path = Path("var/recovery")
    epoch_seconds: float = Field(1.0, gt=0, description="Snapshot interval.")
    instance: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="Kafka: the name of this process in its consumer group; null: the host's name "
        "(in Kubernetes the pod's) and the first number that no process on the host uses.",
    )
    catalog: FlowSettings = FlowSettings()
    looks: LookFlowSettings = LookFlowSettings()
