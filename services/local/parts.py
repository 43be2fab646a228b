"""Which servers there are, how each is had, and where it listens: what `make services` starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.local.kafka import kafka_server, provision_kafka
from services.local.redis import provision_redis, redis_server
from services.local.server import LocalServer
from services.local.vllm import provision_vllm, vllm_server
from services.local.weaviate import provision_weaviate, weaviate_server

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "var" / "services"
WEIGHTS = ROOT / "sandbox" / "weights" / "vlm"


@dataclass(frozen=True, slots=True)
class Part:
    """One of the servers; ``provision`` raises Unavailable with the reason why it cannot be had."""

    name: str
    provision: Callable[[Path], Path]
    server: Callable[[Path, Path], LocalServer]
    """From what was provisioned and a folder: the server, at its usual port."""


PARTS = (
    Part("kafka", provision_kafka, lambda made, folder: kafka_server(made, folder, 9092)),
    Part(
        "weaviate",
        provision_weaviate,
        lambda made, folder: weaviate_server(made, folder, 8080, 50051),
    ),
    Part("redis", provision_redis, lambda made, folder: redis_server(made, folder, 6379)),
    Part("vllm", provision_vllm, lambda made, folder: vllm_server(made, WEIGHTS, folder, 8000)),
)
