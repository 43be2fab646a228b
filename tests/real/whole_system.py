"""Servers of a test's own, which it may stop, and both flows deployed on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import own_kafka, own_redis, own_weaviate
from real_servers import RealKafka, RealRedis, RealWeaviate, ServedModel

from devservers.deployment import Deployment, deploy
from sandbox.life import World


@dataclass(frozen=True, slots=True)
class Servers:
    """All three hold nothing yet."""

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
    """Both flows, not started; with ``model``, looks are described by it."""
    vlm = {"kind": "openai", "prompts": "sandbox-1"}
    return deploy(
        folder,
        brokers=servers.kafka.brokers,
        weaviate_url=servers.weaviate.url,
        weaviate_grpc_port=servers.weaviate.grpc_port,
        redis_url=servers.redis.url,
        pictures=world.folder,
        vlm=vlm | {"url": model.url, "model": model.name} if model is not None else None,
    )
