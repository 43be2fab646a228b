"""Both flows as in production, on real servers of this machine: settings, topics, processes.

For what watches the whole system from outside: service tests, benchmarks, the soak.
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
from operators.catalog.apply import CatalogParts
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.topics import create
from services.processes import Child, free_port, start

FLOWS = ("catalog", "looks")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What belongs to one running system: a folder, a settings file, topics, two flows."""

    folder: Path
    settings: Settings
    ports: Mapping[str, int]
    """Flow -> where its metrics and its health are told."""

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "looksync.toml"

    def start(self, flow: str, *, once: bool = False) -> Child:
        """The flow as a process of its own, ``looksync run``; its log goes on over its lives."""
        arguments = ["--config", str(self.config), "run", flow, *(["--once"] if once else [])]
        env = {
            f"LOOKSYNC_STREAM__{flow.upper()}__METRICS_PORT": str(self.ports[flow]),
            "LOOKSYNC_LOG_FORMAT": "json",
        }
        return start(flow, arguments, self.folder / "logs" / f"{flow}.log", env)

    def answers(self, flow: str, question: str) -> bool:
        """Whether the flow says yes to "startupz", "readyz" or "livez"; silence is a no."""
        try:
            return self._ask(flow, question).is_success
        except httpx.HTTPError:
            return False

    def health(self, flow: str) -> dict[str, Any]:
        """What the flow tells of itself at /readyz. Raises httpx.HTTPError when it is silent."""
        told: dict[str, Any] = self._ask(flow, "readyz").json()
        return told

    def _ask(self, flow: str, question: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.ports[flow]}/{question}", timeout=5)

    def topic(self, name: str) -> FlowTopic:
        """A topic by its name in the settings' defaults, e.g. ``looks.matched``."""
        return open_topic(self.settings.topics, name)

    def records(self, name: str) -> Iterator[Record]:
        """Everything on a topic, partition by partition."""
        topic = self.topic(name)
        for partition in range(topic.partitions):
            yield from topic.read(partition)

    @asynccontextmanager
    async def stores(self) -> AsyncIterator[CatalogParts]:
        """Index and ledger, as the catalog flow has them."""
        async with open_catalog_parts(self.settings) as parts:
            yield parts


def deploy(
    folder: Path,
    *,
    brokers: str,
    weaviate_url: str,
    weaviate_grpc_port: int,
    redis_url: str,
    pictures: Path,
    vlm: Mapping[str, Any] | None = None,
    partitions: int = 2,
) -> Deployment:
    """Settings and topics of a system in ``folder``; the servers are nobody else's.

    ``pictures``: the folder that picture URLs may point into; ``vlm``: its section of the settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home = folder.resolve()
    sections: dict[str, Mapping[str, Any]] = {
        "topics": {"kind": "kafka", "brokers": [brokers], "partitions": partitions},
        "topics.kafka": {"replication": 1},
        "stream": {"recovery_folder": str(home / "recovery")},
        "stream.looks": {"window": 2},
        "images": {"allowed_roots": [str(pictures)], "http_cache": str(home / "http-cache")},
        "index": {"kind": "weaviate", "url": weaviate_url, "grpc_port": weaviate_grpc_port},
        "redis": {"kind": "url", "url": redis_url},
        "thumbnails": {"url": str(home / "thumbnails")},
        "vlm": vlm or {"kind": "none"},
    }
    # JSON's strings, numbers and lists of them are TOML's, too.
    text = "".join(
        f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        for name, values in sections.items()
    )
    (home / "looksync.toml").write_text(text, encoding="utf-8")
    settings = load_settings(home / "looksync.toml")
    create(settings, Console(file=StringIO()))
    return Deployment(home, settings, {flow: free_port() for flow in FLOWS})
