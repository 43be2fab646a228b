"""Both flows as in production, on real servers of this machine: settings, topics, processes.

For observers of the whole system: service tests, benchmarks, the soak.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from dataflows.wiring.parts import open_catalog_parts
from dataflows.wiring.topics import FlowTopic, open_topic
from operators.catalog.parts import CatalogParts
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.topics import create
from services.processes import Child, free_port, start_looksync

FLOWS = ("catalog", "looks")


@dataclass(frozen=True, slots=True)
class ServerAddresses:
    """Where the servers of a deployment listen."""

    brokers: str
    weaviate_url: str
    weaviate_grpc_port: int
    redis_url: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One running system: a folder, a settings file, topics, two flows."""

    folder: Path
    settings: Settings
    ports: Mapping[str, int]
    """Flow -> port of its metrics and health endpoints."""

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "looksync.toml"

    def start(self, flow: str, *, once: bool = False, port: int | None = None) -> Child:
        """Start ``looksync run FLOW``; restarts append to the same log.

        ``port``: of its health endpoints; a second process of a flow needs its own.
        """
        arguments = ["--config", str(self.config), "run", flow, *(["--once"] if once else [])]
        env = {
            f"LOOKSYNC_STREAM__{flow.upper()}__METRICS_PORT": str(port or self.ports[flow]),
            "LOOKSYNC_LOG_FORMAT": "json",
        }
        return start_looksync(flow, arguments, self.folder / "logs" / f"{flow}.log", env)

    def answers(self, flow: str, endpoint: str) -> bool:
        """Whether "startupz", "readyz" or "livez" of the flow succeeds; no answer counts as no."""
        try:
            return self._get(flow, endpoint).is_success
        except httpx.HTTPError:
            return False

    def health(self, flow: str) -> dict[str, Any]:
        """The flow's /readyz. Raises httpx.HTTPError when there is no answer."""
        health: dict[str, Any] = self._get(flow, "readyz").json()
        return health

    def _get(self, flow: str, endpoint: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.ports[flow]}/{endpoint}", timeout=5)

    def topic(self, name: str) -> FlowTopic:
        """A topic by its name in the default settings, e.g. ``looks.matched``."""
        return open_topic(self.settings.topics, name)

    def records(self, name: str) -> Iterator[Record]:
        """Everything on a topic, partition by partition."""
        topic = self.topic(name)
        for partition in range(topic.partitions):
            yield from topic.read(partition)

    @asynccontextmanager
    async def stores(self) -> AsyncIterator[CatalogParts]:
        """Open the index and the ledger as the catalog flow does."""
        async with open_catalog_parts(self.settings) as parts:
            yield parts


def deploy(
    folder: Path,
    servers: ServerAddresses,
    *,
    pictures: Path,
    vlm: Mapping[str, Any] | None = None,
) -> Deployment:
    """Write the settings of a system in ``folder`` and create its topics; start nothing.

    No other system may use the ``servers``. ``pictures``: the folder that picture URLs may point
    into. ``vlm``: its section of the settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home = folder.resolve()
    sections: dict[str, Mapping[str, Any]] = {
        "topics": {"kind": "kafka", "brokers": [servers.brokers]},
        "topics.kafka": {"replication": 1},
        "stream": {"recovery_folder": str(home / "recovery")},
        "stream.looks": {"window": 2},
        "images": {"allowed_roots": [str(pictures)], "http_cache": str(home / "http-cache")},
        "index": {
            "kind": "weaviate",
            "url": servers.weaviate_url,
            "grpc_port": servers.weaviate_grpc_port,
        },
        "redis": {"kind": "url", "url": servers.redis_url},
        "thumbnails": {"url": str(home / "thumbnails")},
        "vlm": vlm or {"kind": "none"},
    }
    # JSON strings, numbers and lists of them are valid TOML.
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for name, values in sections.items()
    )
    (home / "looksync.toml").write_text(text, encoding="utf-8")
    settings = load_settings(home / "looksync.toml")
    create(settings, Console(file=StringIO()))
    return Deployment(home, settings, {flow: free_port() for flow in FLOWS})
