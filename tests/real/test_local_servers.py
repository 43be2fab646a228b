"""The servers of `make services` start, recover from crashes and pauses, and stop."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import redis
from confluent_kafka.admin import AdminClient, NewTopic

from devservers.server import LocalServer
from schemas.errors import Unavailable
from tests.real.own_servers import own_kafka, own_redis, own_weaviate
from tests.real.real_servers import RealKafka

pytestmark = pytest.mark.services


def topics(broker: RealKafka) -> set[str]:
    return set(AdminClient({"bootstrap.servers": broker.brokers}).list_topics(timeout=10).topics)


def test_a_killed_broker_recovers_its_topics(tmp_path: Path) -> None:
    with own_kafka(tmp_path) as broker:
        admin = AdminClient({"bootstrap.servers": broker.brokers})
        admin.create_topics([NewTopic("kept", 2)])["kept"].result(10)

        broker.ours.kill()
        assert not broker.ours.is_ready()
        broker.ours.start()

        assert "kept" in topics(broker)


def test_a_resumed_node_answers_again(tmp_path: Path) -> None:
    with own_weaviate(tmp_path) as node:
        node.ours.pause()
        assert not node.ours.is_ready()

        node.ours.resume()

        assert httpx.get(f"{node.url}/v1/meta", timeout=10).json()["version"]


def test_redis_keeps_acknowledged_writes_across_a_restart(tmp_path: Path) -> None:
    with own_redis(tmp_path) as server:
        redis.Redis.from_url(server.url).set("kept", b"1")

        server.ours.stop()
        server.ours.start()

        assert redis.Redis.from_url(server.url).get("kept") == b"1"


def test_a_server_that_exits_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broken = LocalServer("broken", ["ls", "no-such-file"], tmp_path, "nowhere", lambda: False, 10)

    with pytest.raises(Unavailable, match="no-such-file"):
        broken.start()
