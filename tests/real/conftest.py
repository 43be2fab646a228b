"""Real servers: those that LOOKSYNC_TEST_... variables name, else started for the tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from real_servers import RealKafka, RealRedis, RealWeaviate, ServedModel

from devservers.kafka import kafka_server, provision_kafka
from devservers.redis import provision_redis, redis_server
from devservers.registry import HOME, WEIGHTS
from devservers.vllm import MODEL, provision_vllm, vllm_server
from devservers.weaviate import provision_weaviate, weaviate_server
from schemas.errors import Unavailable
from services.processes import free_port


def provisioned(provision: Callable[[Path], Path]) -> Path:
    """What the server is made of; without it the test is skipped, with the reason."""
    try:
        return provision(HOME)
    except Unavailable as error:
        pytest.skip(str(error))


@contextmanager
def own_kafka(folder: Path) -> Iterator[RealKafka]:
    with kafka_server(provisioned(provision_kafka), folder, free_port()) as server:
        yield RealKafka(server, server.address)


@contextmanager
def own_weaviate(folder: Path) -> Iterator[RealWeaviate]:
    grpc_port = free_port()
    made = provisioned(provision_weaviate)
    with weaviate_server(made, folder, free_port(), grpc_port) as server:
        yield RealWeaviate(server, server.address, grpc_port)


@contextmanager
def own_redis(folder: Path) -> Iterator[RealRedis]:
    with redis_server(provisioned(provision_redis), folder, free_port()) as server:
        yield RealRedis(server, server.address)


@contextmanager
def own_vllm(folder: Path) -> Iterator[ServedModel]:
    with vllm_server(provisioned(provision_vllm), WEIGHTS, folder, free_port()) as server:
        yield ServedModel(server, server.address, MODEL)


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedModel]:
    """A vLLM server of the sandbox VLM."""
    if url := os.environ.get("LOOKSYNC_TEST_VLLM"):
        yield ServedModel(None, url, os.environ.get("LOOKSYNC_TEST_VLLM_MODEL", MODEL))
        return
    with own_vllm(tmp_path_factory.mktemp("vllm")) as model:
        yield model


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """A Kafka broker; shared, so every test uses topics of its own."""
    if brokers := os.environ.get("LOOKSYNC_TEST_KAFKA"):
        yield RealKafka(None, brokers)
        return
    with own_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def weaviate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealWeaviate]:
    """A Weaviate node; shared, so every test uses collections of its own."""
    if url := os.environ.get("LOOKSYNC_TEST_WEAVIATE"):
        grpc_port = os.environ.get("LOOKSYNC_TEST_WEAVIATE_GRPC_PORT", "50051")
        yield RealWeaviate(None, url, int(grpc_port))
        return
    with own_weaviate(tmp_path_factory.mktemp("weaviate")) as node:
        yield node


@pytest.fixture(scope="session", name="redis_server")
def redis_server_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRedis]:
    """A Redis server; shared, so every test uses keys of its own."""
    if url := os.environ.get("LOOKSYNC_TEST_REDIS"):
        yield RealRedis(None, url)
        return
    with own_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server
