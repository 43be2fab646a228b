"""A deployment of both flows on servers of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devservers.deployment import Deployment, ServerAddresses, deploy
from sandbox.life import World
from tests.real.own_servers import own_kafka, own_redis, own_weaviate
from tests.real.real_servers import RealKafka, RealRedis, RealWeaviate, ServedModel


@dataclass(frozen=True, slots=True)
class Servers:
    """All three are empty at the start."""

    kafka: RealKafka
    weaviate: RealWeaviate
    redis: RealRedis


@contextmanager
def real_servers(folder: Path) -> Iterator[Servers]:
    with (
        own_kafka(folder / "kafka") as kafka,
        own_weaviate(folder / "weaviate") as weaviate,
        own_redis(folder / "redis") as redis,
    ):
        yield Servers(kafka, weaviate, redis)


def deployment_on(
    servers: Servers, folder: Path, world: World, model: ServedModel | None = None
) -> Deployment:
    """Deploy both flows without starting them; with ``model``, it describes the looks."""
    vlm = {"kind": "openai", "prompts": "sandbox-1"}
    addresses = ServerAddresses(
        brokers=servers.kafka.brokers,
        weaviate_url=servers.weaviate.url,
        weaviate_grpc_port=servers.weaviate.grpc_port,
        redis_url=servers.redis.url,
    )
    return deploy(
        folder,
        addresses,
        pictures=world.folder,
        vlm=vlm | {"url": model.url, "model": model.name} if model is not None else None,
    )
