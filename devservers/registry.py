"""The servers that `make services` starts: how each is provisioned, and on which port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devservers.kafka import kafka_server, provision_kafka
from devservers.redis import provision_redis, redis_server
from devservers.server import LocalServer
from devservers.vllm import provision_vllm, vllm_server
from devservers.weaviate import provision_weaviate, weaviate_server

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "var" / "services"
WEIGHTS = ROOT / "sandbox" / "weights" / "vlm"


@dataclass(frozen=True, slots=True)
class DevServer:
    """``provision`` raises Unavailable, with the reason, when the server cannot run here."""

    name: str
    provision: Callable[[Path], Path]
    server: Callable[[Path, Path], LocalServer]
    """Takes the provisioned path and a folder; the server at its default port."""


DEV_SERVERS = (
    DevServer("kafka", provision_kafka, lambda made, folder: kafka_server(made, folder, 9092)),
    DevServer(
        "weaviate",
        provision_weaviate,
        lambda made, folder: weaviate_server(made, folder, 8080, 50051),
    ),
    DevServer("redis", provision_redis, lambda made, folder: redis_server(made, folder, 6379)),
    DevServer(
        "vllm", provision_vllm, lambda made, folder: vllm_server(made, WEIGHTS, folder, 8000)
    ),
)
