"""The vector index, Redis and the thumbnails."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_serializer

from schemas.settings.base import BatchSettings, Section


class IndexSettings(Section):
    kind: Literal["sqlite", "weaviate"] = "sqlite"
    path: Path = Path("var/index.sqlite")
    url: str = Field(
        "http://127.0.0.1:8080", description="Weaviate's REST API; https: TLS for REST and gRPC."
    )
    grpc_port: int = Field(50051, ge=1, le=65535, description="On the same host.")
    api_key: SecretStr | None = None
    alias: str = Field(
        "LookSyncProducts",
        pattern=r"^[A-Z][_0-9A-Za-z]{0,99}$",
        description="Alias of the active Weaviate collection, and prefix of the collections' "
        "names.",
    )
    quantisation: Literal["rq8", "none"] = Field(
        "rq8",
        description="Of a new collection's vectors in memory; rq8 takes a quarter of the bytes.",
    )
    replicas: int = Field(1, ge=1, description="Of a new collection; at most the number of nodes.")
    shards: int | None = Field(None, ge=1, description="Of a new collection; null: one per node.")
    read_seconds: float = Field(2.0, gt=0, description="Deadline of one search or read.")
    write_seconds: float = Field(8.0, gt=0, description="Deadline of one batch of writes.")
    searches: int = Field(32, ge=1, description="In flight per process; further ones are queued.")
    writes: BatchSettings = BatchSettings(max_size=128, max_wait_ms=5.0)


class RedisSettings(Section):
    kind: Literal["embedded", "url"] = Field(
        "embedded", description="embedded: a private Valkey server in `folder`."
    )
    folder: Path = Path("var/valkey")
    url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="redis://, rediss:// (TLS) or unix://, with or without user and password. "
        "One primary, not Redis Cluster (docs/redis.md).",
    )
    username: str | None = Field(None, description="ACL user; null: the default user.")
    password: SecretStr | None = None
    ca_file: Path | None = Field(
        None, description="PEM with the CA of a rediss:// server; null: the system's CAs."
    )
    client_cert: Path | None = Field(None, description="PEM, for servers that require one.")
    client_key: Path | None = Field(None, description="PEM; null: the key is in client_cert.")
    reads: BatchSettings = BatchSettings(max_size=256, max_wait_ms=1.0)

    @property
    def shown_url(self) -> str:
        """``url`` without its password, for display."""
        shown = re.sub(r"(://[^:@/]*:)[^@/]*@", r"\1***@", self.url)
        return re.sub(r"([?&]password=)[^&]*", r"\1***", shown)

    @field_serializer("url")
    def _without_password(self, _url: str) -> str:
        return self.shown_url


class ThumbnailSettings(Section):
    url: str = Field("var/thumbnails", description="Any fsspec path: a folder, s3://bucket/path.")
    max_side: int = Field(336, gt=0)
