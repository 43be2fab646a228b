"""kill -9 of both flows at random on real servers: index, ledger and topics stay correct."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devservers.deployment import Deployment
from evaluation.sandbox.catalog_report import catalog_report
from operators.streaming.dead_letters import read_letters
from sandbox.life import World, draw_world
from schemas.records import Record
from tests.real.whole_system import deployment_on, real_servers

pytestmark = [pytest.mark.services, pytest.mark.timeout(2400)]

KILLS = 16
"""Of each flow."""
PRODUCTS, LOOKS, COPIES = 12_800, 40, 25
BROKEN_LOOKS = 12


def look_records(world: World) -> tuple[list[Record], set[str]]:
    """The world's looks, each under COPIES ids, some of them sent twice; and invalid records."""
    chance = random.Random(5)
    sent = {record.key: record for record in world.look_event_records()}
    records = []
    for copy in range(COPIES):
        for key, record in sent.items():
            look_id = f"{key}-{copy}"
            value = json.dumps({**json.loads(record.value), "look_id": look_id}).encode()
            records += [Record(look_id, value)] * (2 if chance.random() < 0.05 else 1)
    asked = {record.key for record in records}
    records += [Record(f"broken-{n}", b"{no look") for n in range(BROKEN_LOOKS)]
    chance.shuffle(records)
    return records, asked


def kill_repeatedly(
    deployment: Deployment, flow: str, topic: str, records: list[Record], chance: random.Random
) -> None:
    """Repeatedly feed a share, start the flow and kill it; finally process the rest."""
    share = -(-len(records) // KILLS)
    for begin in range(0, len(records), share):
        deployment.topic(topic).append(records[begin : begin + share])
        child = deployment.start(flow)
        if chance.random() < 0.15:  # while it starts
            time.sleep(chance.uniform(1, 10))
        else:
            while not deployment.answers(flow, "startupz"):
                assert child.exit_code is None, child.log_tail()
                time.sleep(0.1)
            time.sleep(chance.uniform(0.1, 6))
        assert child.exit_code is None, child.log_tail()
        child.kill()
    last = deployment.start(flow, once=True)
    assert last.process.wait(900) == 0, last.log_tail()


async def test_nothing_is_lost_or_duplicated(tmp_path: Path) -> None:
    world = draw_world(tmp_path / "world", seed=31, products=PRODUCTS, looks=LOOKS, pictured=200)
    looks, asked = look_records(world)
    assert world.packets >= 20_000
    assert len(asked) >= 1000
    with real_servers(tmp_path) as servers:
        deployment = deployment_on(servers, tmp_path / "system", world)
        with ThreadPoolExecutor() as threads:
            killed = [
                threads.submit(kill_repeatedly, deployment, *feed)
                for feed in (
                    ("catalog", "catalog.updates", [*world.packet_records()], random.Random(1)),
                    ("looks", "looks.generated", looks, random.Random(2)),
                )
            ]
        for one in killed:
            one.result()

        async with deployment.stores() as parts:
            report = await catalog_report(
                world.truth(),
                parts.index,
                parts.ledger,
                changes=deployment.records("catalog.changes"),
                dead_letters=deployment.records("catalog.updates.dlq"),
            )
        events = Counter(record.key for record in deployment.records("looks.matched"))
        letters = [*read_letters(deployment.topic("looks.generated.dlq"))]

    assert report.differences == ()
    assert report.index_equals_truth
    assert report.dead_as_expected
    assert report.changes_duplicated == 0
    assert events == Counter(asked)
    assert sorted(letter.record.key for letter in letters) == sorted(
        f"broken-{n}" for n in range(BROKEN_LOOKS)
    )
