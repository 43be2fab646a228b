"""kill -9 at random moments, again and again: nothing lost, nothing doubled, order kept."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import flow_process
import pytest
from flow_process import Effects, topic

from operators.streaming.dead_letters import read_letters
from schemas.records import Record

KILLS = 24
# Forked from a process that has imported the flows already: a start takes 50 ms instead of 1 s.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dataflows.catalog", "dataflows.looks"])


def kill_again_and_again(
    run: Callable[[Path, bool], None],
    base: Path,
    feed: Callable[[int], None],
    chance: random.Random,
) -> None:
    for round_ in range(KILLS):
        feed(round_)
        process = PROCESSES.Process(target=run, args=(base, False))
        process.start()
        # Often before the first snapshot, mostly in the middle of some later epoch.
        time.sleep(chance.choice([chance.uniform(0.02, 0.15), chance.uniform(0.1, 0.7)]))
        assert process.is_alive()
        process.kill()
        process.join()
    process = PROCESSES.Process(target=run, args=(base, True))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def events(base: Path, name: str) -> list[dict[str, object]]:
    """All events on a topic, each partition's in order."""
    read = topic(base, name)
    return [json.loads(r.value) for p in range(read.partitions) for r in read.read(p)]


@pytest.mark.slow
def test_catalog_flow_survives_kills(tmp_path: Path) -> None:
    chance = random.Random(1)
    updates = topic(tmp_path, "catalog.updates")
    sent: dict[str, list[int]] = defaultdict(list)
    bad: list[str] = []

    def feed(round_: int) -> None:
        records = []
        for number in range(round_ * 120, round_ * 120 + 120):
            product = f"p{chance.randrange(15)}"
            refuse = chance.random() < 0.03
            packet = {
                "vendor": "acme",
                "product_id": product,
                "kind": "upsert",
                "version": number,
                "payload": {"refuse": refuse},
            }
            value = json.dumps(packet).encode()
            if chance.random() < 0.03:
                refuse, value = True, value[:-9]
            if not refuse:
                sent[f"acme:{product}"].append(number)
            records.append((refuse, Record(f"acme:{product}", value)))
        positions = updates.append(record for _, record in records)
        bad.extend(str(p) for (refuse, _), p in zip(records, positions, strict=True) if refuse)

    kill_again_and_again(flow_process.run_catalog, tmp_path, feed, chance)

    changes: dict[object, list[object]] = defaultdict(list)
    for change in events(tmp_path, "catalog.changes"):
        changes[change["key"]].append(change["version"])
    assert changes == sent
    letters = read_letters(topic(tmp_path, "catalog.updates.dlq"))
    assert sorted(letter.name for letter in letters) == sorted(bad)
    effects = Effects(tmp_path)
    assert len(effects.all()) == sum(map(len, sent.values()))
    assert effects.calls() > len(effects.all()), "no kill met a call in flight: the test is weak"


@pytest.mark.slow
def test_look_flow_survives_kills(tmp_path: Path) -> None:
    chance = random.Random(2)
    looks = topic(tmp_path, "looks.generated")
    sent: list[str] = []
    bad: list[str] = []

    def feed(round_: int) -> None:
        records = []
        for number in range(round_ * 120, round_ * 120 + 120):
            repeat = bool(sent) and chance.random() < 0.1
            look_id = chance.choice(sent) if repeat else f"look-{number}"
            value = json.dumps({"look_id": look_id, "image": {"url": "file:///x.png"}}).encode()
            broken = not repeat and chance.random() < 0.03
            if not repeat and not broken:
                sent.append(look_id)
            records.append((broken, Record(look_id, b"{" + value if broken else value)))
        positions = looks.append(record for _, record in records)
        bad.extend(str(p) for (broken, _), p in zip(records, positions, strict=True) if broken)

    kill_again_and_again(flow_process.run_looks, tmp_path, feed, chance)

    events_per_look = Counter(event["look_id"] for event in events(tmp_path, "looks.matched"))
    assert events_per_look == Counter(sent)
    letters = read_letters(topic(tmp_path, "looks.generated.dlq"))
    assert sorted(letter.name for letter in letters) == sorted(bad)
