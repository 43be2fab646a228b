"""kill -9 after counted calls of flows on Kafka: nothing lost or duplicated, order preserved."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from operators.streaming.dead_letters import read_letters
from operators.streaming.engine.call_policy import TRIALS
from schemas.records import Record
from tests.flows.flow_process import Effects, Interruption
from tests.real.kafka_flows import PROCESSES, KafkaFlows, packet
from tests.real.real_servers import RealKafka

pytestmark = pytest.mark.services

KILLS = 24
RECORDS = 120
"""New ones before each execution."""
SMALLEST_BACKLOG = 100
"""Calls that each execution makes at least: a few records are invalid, or repeat a look."""
MOST_BLAMED = 2
"""Records that happened to be called alone at TRIALS deaths: dead letters, and so not lost."""
READY_SECONDS = 120
"""Longest wait for the counted call; only ends a run that hangs."""


def kill_again_and_again(
    flows: KafkaFlows, flow: str, feed: Callable[[int], None], chance: random.Random
) -> None:
    """Kill each execution with a call in flight, or as the flow opens; then run it to its end."""
    interrupted = early = 0
    for round_ in range(KILLS):
        feed(round_)
        # Often before the first snapshot, mostly in the middle of some later epoch. Not too often
        # in a row: a record that is called alone at each of TRIALS deaths is one that kills the
        # process, as far as the flow can see.
        early = early + 1 if early < TRIALS - 2 and chance.random() < 0.5 else 0
        calls = chance.randrange(8) if early else chance.randrange(8, SMALLEST_BACKLOG)
        interrupted += calls > 0
        ready = PROCESSES.Event()
        process = flows.start(flow, interruption=Interruption(calls, ready))
        assert ready.wait(READY_SECONDS)
        assert process.is_alive()
        process.kill()
        process.join()
    flows.finish(flow)
    assert Effects(flows.base).begun_again() >= interrupted


def split_letters(flows: KafkaFlows, name: str) -> tuple[list[Record], list[str]]:
    """The records that the flow took for killers, at most MOST_BLAMED; the names of the others."""
    letters = [*read_letters(flows.topic(name))]
    blamed = [one for one in letters if one.letter.reason == "killed-process"]
    assert len(blamed) <= MOST_BLAMED
    return [one.record for one in blamed], sorted(one.name for one in letters if one not in blamed)


def events(records: list[Record]) -> list[dict[str, object]]:
    return [json.loads(record.value) for record in records]


def test_catalog_flow_survives_kills_on_kafka(kafka: RealKafka, tmp_path: Path) -> None:
    chance = random.Random(1)
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    updates = flows.topic("updates")
    sent: dict[str, list[int]] = defaultdict(list)
    bad: list[str] = []

    def feed(round_: int) -> None:
        records = []
        for number in range(round_ * RECORDS, (round_ + 1) * RECORDS):
            product = f"p{chance.randrange(15)}"
            refuse = chance.random() < 0.03
            record = packet(product, number, refuse=refuse)
            if chance.random() < 0.03:
                refuse, record = True, Record(record.key, record.value[:-9])
            if not refuse:
                sent[record.key].append(number)
            records.append((refuse, record))
        positions = updates.append(record for _, record in records)
        bad.extend(str(p) for (refuse, _), p in zip(records, positions, strict=True) if refuse)

    kill_again_and_again(flows, "catalog", feed, chance)

    blamed, refused = split_letters(flows, "updates.dlq")
    assert refused == sorted(bad)
    assert len(Effects(tmp_path).all()) in range(
        sum(map(len, sent.values())) - len(blamed), sum(map(len, sent.values())) + 1
    )
    for record in blamed:
        sent[record.key].remove(json.loads(record.value)["version"])
    changes: dict[object, list[object]] = defaultdict(list)
    for change in events(flows.read("changes")):
        changes[change["key"]].append(change["version"])
    assert changes == sent


def test_look_flow_survives_kills_on_kafka(kafka: RealKafka, tmp_path: Path) -> None:
    chance = random.Random(2)
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    looks = flows.topic("looks")
    sent: list[str] = []
    bad: list[str] = []

    def feed(round_: int) -> None:
        records = []
        for number in range(round_ * RECORDS, (round_ + 1) * RECORDS):
            repeat = bool(sent) and chance.random() < 0.1
            look_id = chance.choice(sent) if repeat else f"look-{number}"
            value = json.dumps({"look_id": look_id, "image": {"url": "file:///x.png"}}).encode()
            broken = not repeat and chance.random() < 0.03
            if not repeat and not broken:
                sent.append(look_id)
            records.append((broken, Record(look_id, b"{" + value if broken else value)))
        positions = looks.append(record for _, record in records)
        bad.extend(str(p) for (broken, _), p in zip(records, positions, strict=True) if broken)

    kill_again_and_again(flows, "looks", feed, chance)

    blamed, refused = split_letters(flows, "looks.dlq")
    assert refused == sorted(bad)
    events_per_look = Counter(event["look_id"] for event in events(flows.read("matches")))
    assert events_per_look == Counter(sent) - Counter(record.key for record in blamed)
