"""`looksync topics create|check` on a real broker, and dead letters replayed in transactions."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from rich.console import Console

from operators.streaming.dead_letters import StoredLetter
from operators.streaming.kafka import replay as kafka_replay
from schemas.errors import Misconfigured
from schemas.records import Record
from schemas.settings import Settings
from services.cli.topics import check, create
from tests.real.kafka_flows import KafkaFlows, packet
from tests.real.own_servers import own_kafka
from tests.real.real_servers import RealKafka
from tests.real.test_kafka_group import stop, wait_until

pytestmark = pytest.mark.services


def checked(settings: Settings) -> tuple[int, str]:
    console = Console(file=StringIO(), width=300)
    code = check(settings, console)
    assert isinstance(console.file, StringIO)
    return code, console.file.getvalue()


def test_created_topics_are_as_the_settings_say(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=3)
    code, output = checked(flows.settings())
    assert code == 1
    assert output.count("looksync topics create") == 7

    create(flows.settings(), Console(quiet=True))
    create(flows.settings(), Console(quiet=True))

    code, output = checked(flows.settings())
    assert code == 0
    assert output.splitlines() == [
        "7 topics agree with the settings",
        f"{flows.prefix}.catalog: has not read {flows.prefix}.updates yet",
        f"{flows.prefix}.looks: has not read {flows.prefix}.looks yet",
    ]
    changes = ConfigResource(ResourceType.TOPIC, flows.topic("changes").name)
    config = flows.topic("changes").brokers.admin.describe_configs([changes])[changes].result(10)
    assert config["cleanup.policy"].value == "compact"


def test_groups_are_shown_and_a_replaced_topic_is_stated(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=2)
    flows.create()
    flows.topic("updates").append(packet(f"p{n}", n) for n in range(20))
    catalog = f"{flows.prefix}.catalog"

    running = flows.start("catalog")
    wait_until(lambda: len(flows.read("changes")) == 20)
    wait_until(lambda: "0 records" in checked(flows.settings())[1])
    assert f"{catalog}: 1 processes" in checked(flows.settings())[1]
    stop([running])
    flows.topic("updates").append(packet("late", n) for n in range(3))
    code, output = checked(flows.settings())
    assert code == 0
    assert f"{catalog}: no process runs, 3 records" in output

    # Another topic's positions, as a tool that copies groups leaves them.
    name = flows.topic("updates").name
    group = Consumer({"bootstrap.servers": flows.brokers, "group.id": catalog})
    (at,) = group.committed([TopicPartition(name, 0)], timeout=10)
    metadata = json.loads(at.metadata or "") | {"topic": "AAAAAAAAAAAAAAAAAAAAAA"}
    group.commit(
        offsets=[TopicPartition(name, 0, at.offset, json.dumps(metadata))], asynchronous=False
    )
    group.close()
    code, output = checked(flows.settings())
    assert code == 1
    assert "the topic was replaced" in output
    assert f"--delete --group {catalog}" in output


def test_differences_are_reported_with_the_command(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    more = KafkaFlows(kafka.brokers, tmp_path, partitions=5, prefix=flows.prefix)

    code, output = checked(more.settings(retention_hours=1000, replication=2))

    assert code == 1
    assert "2 partitions, topics.partitions = 5" in output
    assert "1 replicas of a partition, topics.kafka.replication = 2" in output
    assert "retention.ms is 604800000, should be 3600000000" in output
    assert f"--topic {flows.prefix}.looks --add-config retention.ms=3600000000" in output


def test_a_flow_does_not_start_on_topics_that_may_lose_its_records(
    kafka: RealKafka, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    updates = flows.topic("updates")
    entry = ConfigEntry(
        "unclean.leader.election.enable",
        "true",
        incremental_operation=AlterConfigOpType.SET,
    )
    resource = ConfigResource(ResourceType.TOPIC, updates.name, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka.brokers})
    admin.incremental_alter_configs([resource])[resource].result(10)

    assert flows.run() == 2

    assert "unclean.leader.election.enable is true, should be false" in capfd.readouterr().out


def test_more_copies_than_brokers_is_a_matter_of_settings(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path)
    with pytest.raises(Misconfigured, match=r"topics\.kafka\.replication"):
        create(flows.settings(replication=3), Console(quiet=True))


def test_a_replay_that_is_killed_happens_once(
    kafka: RealKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    flows.topic("updates").append(packet(f"{n}", 1, refuse=True) for n in range(5))
    assert flows.run() == 0
    letters, updates = flows.topic("updates.dlq"), flows.topic("updates")
    mark, marked = kafka_replay._mark, 0

    def die(stored: StoredLetter, kind: str) -> Record:
        nonlocal marked
        marked += 1
        if marked == 4:
            raise KeyboardInterrupt
        return mark(stored, kind)

    with monkeypatch.context() as patch:
        patch.setattr(kafka_replay, "_mark", die)
        with pytest.raises(KeyboardInterrupt):
            kafka_replay.replay(letters, updates)

    assert kafka_replay.replay(letters, updates) == 5
    assert kafka_replay.replay(letters, updates) == 0
    again = [r.headers["replay-of"] for r in flows.read("updates") if "replay-of" in r.headers]
    assert len(again) == len(set(again)) == 5


def test_the_ends_of_a_topic_are_reported_right_after_a_restart(tmp_path: Path) -> None:
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


def test_an_open_transaction_hides_its_records_and_delays_no_reader(
    kafka: RealKafka, tmp_path: Path
) -> None:
    """A process was killed in it; the brokers end it only after its timeout."""
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=1)
    flows.create()
    topic = flows.topic("changes")
    topic.append([packet("1", 1)])
    killed = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": flows.prefix})
    killed.init_transactions(10)
    killed.begin_transaction()
    killed.produce(topic.name, value=b"{}", key=b"2")
    killed.flush(10)

    assert topic.end_offsets() == {0: 1}
    assert [record.key for record in topic.read(0)] == ["acme:1"]
    killed.abort_transaction(10)
