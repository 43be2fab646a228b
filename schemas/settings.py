"""The one tree of settings: defaults, then a preset, then a TOML file, then LOOKSYNC_ variables.

``LOOKSYNC_PRESET=production`` picks the preset, ``LOOKSYNC_CONFIG=path`` the TOML file (default:
looksync.toml in the working directory, when there is one). A nested value is set by a variable
with double underscores: ``LOOKSYNC_INDEX__KIND=weaviate``.
"""

from __future__ import annotations

import os
import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_serializer,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from schemas.attributes import Department
from schemas.errors import Misconfigured

_SHIPPED = Path(__file__).resolve().parent.parent
"""Where the project's own files are: mappings and weights are found from any working directory."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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


class ImageSettings(Section):
    """The guard around every picture that comes from outside."""

    allowed_roots: tuple[Path, ...] = Field(
        (), description="file: URLs must lie below one of these."
    )
    allow_private_addresses: bool = Field(
        False, description="Loopback, private and link-local hosts."
    )
    max_bytes: int = Field(20 * 2**20, gt=0)
    max_pixels: int = Field(40_000_000, gt=0, description="Width x height before decoding.")
    max_side: int = Field(
        1024, gt=0, description="Decoded pictures are reduced to this, in pixels."
    )
    max_redirects: int = Field(3, ge=0)
    timeout_seconds: float = Field(10.0, gt=0, description="Whole fetch, redirects included.")
    connections: int = Field(32, ge=1)
    decode_threads: int = Field(2, ge=1)
    http_cache: Path | None = Field(Path("var/http-cache"), description="None: no HTTP cache.")


class BatchSettings(Section):
    max_size: int = Field(32, ge=1)
    max_wait_ms: float = Field(3.0, ge=0)


class EncoderSettings(Section):
    model: str = Field(
        f"local-dir:{_SHIPPED / 'sandbox' / 'weights' / 'clip'}",
        description="A name of `looksync models list`, local-dir:FOLDER, hf-hub:NAME (open_clip), "
        "transformers:NAME, or open_clip's ARCHITECTURE/PRETRAINED.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: int | None = Field(None, ge=1, description="torch threads on CPU; None: torch's own.")
    images: BatchSettings = BatchSettings()
    texts: BatchSettings = BatchSettings(max_size=64)


class IndexSettings(Section):
    kind: Literal["sqlite", "weaviate"] = "sqlite"
    path: Path = Path("var/index.sqlite")
    url: str = Field("http://127.0.0.1:8080", description="Weaviate's REST; https: TLS for both.")
    grpc_port: int = Field(50051, ge=1, le=65535, description="On the same host.")
    api_key: SecretStr | None = None
    alias: str = Field(
        "LookSyncProducts",
        pattern=r"^[A-Z][_0-9A-Za-z]{0,99}$",
        description="Names the Weaviate collection in force; the collections are called after it.",
    )
    quantisation: Literal["rq8", "none"] = Field(
        "rq8", description="Of a new collection's vectors in memory: a quarter of the bytes."
    )
    replicas: int = Field(1, ge=1, description="Of a new collection; at most the nodes there are.")
    shards: int | None = Field(None, ge=1, description="Of a new collection; null: one per node.")
    read_seconds: float = Field(2.0, gt=0, description="Deadline of one search or look-up.")
    write_seconds: float = Field(8.0, gt=0, description="Deadline of one batch of writes.")
    searches: int = Field(32, ge=1, description="In flight per process; more wait their turn.")
    writes: BatchSettings = BatchSettings(max_size=128, max_wait_ms=5.0)


class RedisSettings(Section):
    kind: Literal["embedded", "url"] = Field(
        "embedded", description="embedded: a Valkey server of our own in `folder`."
    )
    folder: Path = Path("var/valkey")
    url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="redis://, rediss:// (TLS) or unix://; user and password may be in it, or "
        "beside it. One primary, not Redis Cluster (docs/redis.md).",
    )
    username: str | None = Field(None, description="Of an ACL user; none: the default user.")
    password: SecretStr | None = None
    ca_file: Path | None = Field(
        None, description="PEM that vouches for a rediss:// server; none: the system's authorities."
    )
    client_cert: Path | None = Field(None, description="PEM, for a server that asks for one.")
    client_key: Path | None = Field(None, description="PEM; none: it is in client_cert.")
    reads: BatchSettings = BatchSettings(max_size=256, max_wait_ms=1.0)

    @property
    def shown_url(self) -> str:
        """``url`` for people: without the password that may be in it."""
        shown = re.sub(r"(://[^:@/]*:)[^@/]*@", r"\1***@", self.url)
        return re.sub(r"([?&]password=)[^&]*", r"\1***", shown)

    @field_serializer("url")
    def _without_password(self, _url: str) -> str:
        return self.shown_url


class ThumbnailSettings(Section):
    url: str = Field("var/thumbnails", description="Any fsspec path: a folder, s3://bucket/path.")
    max_side: int = Field(336, gt=0)


class RerankMethod(StrEnum):
    """What orders a layer's products."""

    NONE = "none"
    """Retrieval: the similarity with the query vector."""
    SIMILARITY = "similarity"
    """The similarity with the layer's region, and the attributes shared."""
    POINTWISE = "pointwise"
    """One question per product: the same? Scored by the probability of yes."""
    LIKELIHOOD = "likelihood"
    """How likely the layer's query is as a description of each product."""
    LISTWISE = "listwise"
    """One question for all products: in which order?"""

    @property
    def asks_model(self) -> bool:
        """Whether a vision-language model judges."""
        return self not in (RerankMethod.NONE, RerankMethod.SIMILARITY)


class VlmSettings(Section):
    """The vision-language model that describes looks and reranks products."""

    kind: Literal["none", "embedded", "openai"] = Field(
        "none",
        description="openai: a server with vLLM's API; embedded: a folder's model in this "
        "process; none: tagger and similarity do it.",
    )
    url: str = Field("http://127.0.0.1:8000/v1", description="Up to and including the version.")
    model: str = Field(
        "Qwen/Qwen3-VL-8B-Instruct",
        description="As the server calls it; embedded: its folder, by default the sandbox's.",
    )
    api_key: SecretStr | None = None
    prompts: str = Field(
        "general-1", description="Set of prompts; the sandbox's model has sandbox-1."
    )
    longest_description: int = Field(800, ge=32, description="Tokens of a look's description.")
    concurrency: int = Field(64, ge=1, description="Calls in flight per process.")
    attempts: int = Field(3, ge=1, description="Per call, as far as the look's budget allows.")
    batches: BatchSettings = Field(BatchSettings(max_size=16), description="Of the embedded model.")
    cache_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Descriptions by picture, likelihoods by query and product; 0: off.",
    )
    hedge_after_ms: float | None = Field(
        None, gt=0, description="Ask a second time beside a call this slow; null: never."
    )
    breaker_failures: int = Field(5, ge=1, description="In a row; then the server is left alone.")
    breaker_seconds: float = Field(10.0, gt=0, description="Until one call probes it again.")

    @model_validator(mode="before")
    @classmethod
    def _sandbox_model(cls, given: Any) -> Any:
        """Embedded without a folder: the sandbox's model, which knows its own prompts only."""
        if isinstance(given, dict) and given.get("kind") == "embedded" and "model" not in given:
            folder = str(_SHIPPED / "sandbox" / "weights" / "vlm")
            return {"model": folder, "prompts": "sandbox-1", **given}
        return given


class SegmenterSettings(Section):
    """Cuts a layer out of the look when the vision-language model could not judge its products."""

    kind: Literal["none", "florence-sam2"] = Field(
        "none", description="none: the square around the layer, found by the encoder's patches."
    )
    florence: str = Field(
        "florence-community/Florence-2-base", description="Folder or hub name; grounds the query."
    )
    sam2: str = Field("facebook/sam2.1-hiera-small", description="Folder or hub name; the mask.")
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class CatalogSettings(Section):
    mappings: Path = Field(
        _SHIPPED / "operators" / "catalog" / "mappings", description="Folder of vendor TOMLs."
    )
    zero_shot_threshold: float = Field(0.75, ge=0, le=1, description="Below: attribute unknown.")


class MatchingSettings(Section):
    queries: Literal["text", "region", "fused"] = "fused"
    text_weight: float = Field(0.35, ge=0, le=1, description="Of the text in the fused vector.")
    attribute_weight: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Of each attribute that product and description share, in cosine.",
    )
    products_per_layer: int = Field(10, ge=1, le=100)
    over_fetch: int = Field(4, ge=1, description="Candidates fetched per product wanted.")
    min_products: int = Field(3, ge=0, description="Fewer left: the next step of the ladder.")
    duplicate_similarity: float = Field(0.995, gt=0, le=1, description="Cosine that folds.")
    layer_threshold: float = Field(0.25, ge=0, le=1, description="A layer is reported above this.")
    abstain_below: float = Field(
        0.03,
        ge=0,
        le=1,
        description="Confidence that the first product is the very item; a near one has about 0.2.",
    )
    rerank: RerankMethod = Field(
        RerankMethod.LIKELIHOOD,
        description="Without a vision-language model, its methods are by similarity.",
    )
    rerank_layers: dict[Department, RerankMethod] = Field(
        default_factory=dict, description="Departments with a method of their own."
    )
    rerank_weight: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Of the model's judgement, beside similarity and shared attributes.",
    )
    describe_share: float = Field(0.5, gt=0, le=1, description="Of the budget, for describing.")
    rerank_share: float = Field(0.8, gt=0, le=1, description="Of what is left, for reranking.")
    cache_seconds: float = Field(
        600.0, ge=0, description="Results by picture and context; 0: off. New products wait for it."
    )
    claim_seconds: float = Field(
        7 * 86_400.0, gt=0, description="How long a look_id is remembered."
    )

    def rerank_method(self, department: Department) -> RerankMethod:
        """The layer's own method, or else the general one."""
        return self.rerank_layers.get(department, self.rerank)


class Settings(BaseSettings):
    """Everything the system can be told."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKSYNC_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    preset: Literal["embedded", "production"] = "embedded"
    topics: TopicSettings = TopicSettings()
    stream: StreamSettings = StreamSettings()
    images: ImageSettings = ImageSettings()
    encoder: EncoderSettings = EncoderSettings()
    index: IndexSettings = IndexSettings()
    redis: RedisSettings = RedisSettings()
    thumbnails: ThumbnailSettings = ThumbnailSettings()
    vlm: VlmSettings = VlmSettings()
    segmenter: SegmenterSettings = SegmenterSettings()
    catalog: CatalogSettings = CatalogSettings()
    matching: MatchingSettings = MatchingSettings()
    log_format: Literal["console", "json"] = "console"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what :func:`load_settings` read from preset and file."""
        del dotenv_settings, file_secret_settings
        return env_settings, init_settings


PRESETS: dict[str, dict[str, Any]] = {
    "embedded": {
        # The model shares the cores with everything else: on a busy laptop a look takes longer.
        "stream": {"looks": {"deadline_seconds": 10.0}},
        "vlm": {"kind": "embedded"},
    },
    "production": {
        "topics": {"kind": "kafka"},
        "stream": {"looks": {"window": 64}},
        "encoder": {"model": "ViT-H-14/laion2b_s32b_b79k"},
        "index": {"kind": "weaviate"},
        "redis": {"kind": "url"},
        "vlm": {"kind": "openai"},
        "segmenter": {"kind": "florence-sam2"},
        "log_format": "json",
    },
}


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """The settings in force. ``overrides`` rank below the environment and above the file.

    Raises Misconfigured, naming the file or variable and the field.
    """
    named = config or (Path(p) if (p := os.environ.get("LOOKSYNC_CONFIG")) else None)
    path = named or Path("looksync.toml")
    from_file: dict[str, Any] = {}
    if path.exists():
        try:
            from_file = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error
    elif named:
        raise Misconfigured(f"{path}: there is no such settings file")
    chosen = {**from_file, **overrides}
    preset = os.environ.get("LOOKSYNC_PRESET", chosen.get("preset", "embedded"))
    if preset not in PRESETS:
        raise Misconfigured(f"preset {preset!r}: choose one of {', '.join(PRESETS)}")
    try:
        return Settings(**_merge(_merge(PRESETS[preset], from_file), overrides))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise Misconfigured(f"settings ({path} and LOOKSYNC_ variables): {problems}") from error


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = (
            _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return merged
