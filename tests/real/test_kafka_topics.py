"""`looksync topics create|check` on a real broker, and dead letters put back by transactions."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType
from conftest import own_kafka
from kafka_flows import KafkaFlows, packet
from real_servers import RealKafka
from rich.console import Console

from operators.streaming.dead_letters import StoredLetter
from operators.streaming.kafka import replay as kafka_replay
from schemas.errors import Misconfigured
from schemas.records import Record
from schemas.settings import Settings
from services.cli.topics import check, create

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]


def checked(settings: Settings) -> tuple[int, str]:
    console = Console(file=StringIO(), width=300)
    code = check(settings, console)
    assert isinstance(console.file, StringIO)
    return code, console.file.getvalue()


def test_created_topics_are_as_the_settings_say(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=3)
    code, told = checked(flows.settings())
    assert code == 1
    assert told.count("looksync topics create") == 6

    create(flows.settings(), Console(quiet=True))
    create(flows.settings(), Console(quiet=True))

    assert checked(flows.settings())[0] == 0
    changes = ConfigResource(ResourceType.TOPIC, flows.topic("changes").name)
    config = flows.topic("changes").brokers.admin.describe_configs([changes])[changes].result(10)
    assert config["cleanup.policy"].value == "compact"


def test_differences_are_told_with_the_command(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    more = KafkaFlows(kafka.brokers, tmp_path, partitions=5, prefix=flows.prefix)

    code, told = checked(more.settings(retention_hours=1, replication=2))

    assert code == 1
    assert "2 partitions, topics.partitions = 5" in told
    assert "1 replicas of a partition, topics.kafka.replication = 2" in told
    assert "retention.ms is 604800000, should be 3600000" in told
    assert f"--topic {flows.prefix}.looks --add-config retention.ms=3600000" in told


def test_more_copies_than_brokers_is_a_matter_of_settings(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path)
    with pytest.raises(Misconfigured, match=r"topics\.kafka\.replication"):
        create(flows.settings(replication=3), Console(quiet=True))


def test_a_replay_that_dies_in_the_middle_is_done_once(
    kafka: RealKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    flows.topic("updates").append(packet(f"{n}", 1, refuse=True) for n in range(5))
    assert flows.run() == 0
    letters, updates = flows.topic("updates.dlq"), flows.topic("updates")
    mark, marked = kafka_replay._mark, 0

    def die(stored: StoredLetter) -> Record:
        nonlocal marked
        marked += 1
        if marked == 4:
            raise KeyboardInterrupt
        return mark(stored)

    with monkeypatch.context() as patch:
        patch.setattr(kafka_replay, "_mark", die)
        with pytest.raises(KeyboardInterrupt):
            kafka_replay.replay(letters, updates)

    assert kafka_replay.replay(letters, updates) == 5
    assert kafka_replay.replay(letters, updates) == 0
    again = [r.headers["replay-of"] for r in flows.read("updates") if "replay-of" in r.headers]
    assert len(again) == len(set(again)) == 5


def test_the_ends_of_a_topic_are_told_right_after_a_restart(tmp_path: Path) -> None:
    with own_kafka(tmp_path / "kafka") as broker:
        flows = KafkaFlows(broker.brokers, tmp_path)
        flows.create()
        updates = flows.topic("updates")
        updates.append([packet("p", 1)])
        before = updates.end_offsets()

        broker.ours.kill()
        broker.ours.start()

        assert updates.end_offsets() == before
        assert not updates.brokers.down
