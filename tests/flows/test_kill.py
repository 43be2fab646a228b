"""kill -9 after random numbers of calls, again and again: nothing lost or doubled, order kept."""

from __future__ import annotations

import json
import multiprocessing
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from operators.streaming.dead_letters import read_letters
from schemas.records import Record
from tests.flows import flow_process
from tests.flows.flow_process import Effects, Interruption, topic

KILLS = 24
RECORDS = 120
"""New ones before each execution."""
SMALLEST_BACKLOG = 100
"""Calls that each execution has to make at least: a few records cannot be parsed, or repeat."""
# Forked from a process that has imported the flows already: a start takes 50 ms instead of 1 s.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dataflows.catalog", "dataflows.looks"])


def kill_again_and_again(
    run: Callable[[Path, Interruption | None], None],
    base: Path,
    feed: Callable[[int], None],
    chance: random.Random,
) -> None:
    """Each time with a call in flight, or as the flow starts; then run the flow to its end."""
    interrupted = calls = 0
    for round_ in range(KILLS):
        feed(round_)
        # Often before the first snapshot, mostly in the middle of some later epoch.
        # Not in the first call twice in a row: a record that is called at each death is one that
        # kills the process, as far as the flow can see.
        least = 2 if calls < 2 else 0
        calls = chance.choice([chance.randrange(least, 8), chance.randrange(8, SMALLEST_BACKLOG)])
        interrupted += calls > 0
        if chance.random() < 0.5:  # else records are called one at a time
            for journal in base.glob("recovery/*/calls.json"):
                journal.unlink()
        ready = PROCESSES.Event()
        process = PROCESSES.Process(target=run, args=(base, Interruption(calls, ready)))
        process.start()
        ready.wait()
        assert process.is_alive()
        process.kill()
        process.join()
    process = PROCESSES.Process(target=run, args=(base, None))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert Effects(base).begun_again() >= interrupted


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
        for number in range(round_ * RECORDS, (round_ + 1) * RECORDS):
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


@pytest.mark.slow
def test_look_flow_survives_kills(tmp_path: Path) -> None:
    chance = random.Random(2)
    looks = topic(tmp_path, "looks.generated")
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

    kill_again_and_again(flow_process.run_looks, tmp_path, feed, chance)

    events_per_look = Counter(event["look_id"] for event in events(tmp_path, "looks.matched"))
    assert events_per_look == Counter(sent)
    letters = read_letters(topic(tmp_path, "looks.generated.dlq"))
    assert sorted(letter.name for letter in letters) == sorted(bad)
