"""Servers of a single test, which may pause, kill and restart them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devservers.kafka import kafka_server, provision_kafka
from devservers.redis import provision_redis, redis_server
from devservers.registry import HOME, WEIGHTS
from devservers.vllm import MODEL, provision_vllm, vllm_server
from devservers.weaviate import provision_weaviate, weaviate_server
from schemas.errors import Unavailable
from services.processes import free_port
from tests.real.real_servers import RealKafka, RealRedis, RealWeaviate, ServedModel


def provisioned(provision: Callable[[Path], Path]) -> Path:
    """Provision a server; skip the test, with the reason, when that is not possible here."""
    try:
        return provision(HOME)
    except Unavailable as error:
        pytest.skip(str(error))


@contextmanager
def own_kafka(folder: Path) -> Iterator[RealKafka]:
    with kafka_server(provisioned(provision_kafka), folder, free_port()) as server:
        yield RealKafka(server, server.address)


@contextmanager
def own_weaviate(folder: Path, **env: str) -> Iterator[RealWeaviate]:
    """``env``: further variables of the server."""
    grpc_port = free_port()
    binary = provisioned(provision_weaviate)
    server = weaviate_server(binary, folder, free_port(), grpc_port)
    with replace(server, env={**server.env, **env}) as server:
        yield RealWeaviate(server, server.address, grpc_port)


@contextmanager
def own_redis(folder: Path) -> Iterator[RealRedis]:
    with redis_server(provisioned(provision_redis), folder, free_port()) as server:
        yield RealRedis(server, server.address)


@contextmanager
def own_vllm(folder: Path) -> Iterator[ServedModel]:
    with vllm_server(provisioned(provision_vllm), WEIGHTS, folder, free_port()) as server:
        yield ServedModel(server, server.address, MODEL)
