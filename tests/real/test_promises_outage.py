"""An outage of half a minute of each server: nothing is lost, health reports it, flows recover."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import httpx
import pytest

from devservers.deployment import Deployment
from devservers.server import LocalServer
from evaluation.sandbox.catalog_report import catalog_report
from operators.streaming.dead_letters import read_letters
from sandbox.life import World, draw_world
from schemas.errors import Unavailable
from schemas.looks import LookMatches
from schemas.records import Record
from services.processes import Child
from tests.real.own_servers import own_vllm
from tests.real.whole_system import Servers, deployment_on, real_servers

pytestmark = [pytest.mark.services, pytest.mark.timeout(2400)]

AWAY_SECONDS = 30.0
RECOVERED_SECONDS = 120.0
"""Timeout until the flow is ready again; on an idle machine it takes a few seconds."""
SETTLED_SECONDS = 10.0
SEEN = 10
"""Looks whose pictures are used before the outage of the model."""
GROWTH_MIB = 300.0


class Trickle:
    """Feeds both topics steadily in small portions; an unsent portion is sent later."""

    def __init__(self, deployment: Deployment, world: World) -> None:
        self._deployment = deployment
        self._packets = list(world.packet_records())
        self._looks = [json.loads(record.value) for record in world.look_event_records()]
        self._number = count()
        self.asked: list[str] = []
        self.unseen = False
        """Send looks whose pictures have no cached description yet."""

    def some(self) -> None:
        updates = self._deployment.topic("catalog.updates")
        looks = self._deployment.topic("looks.generated")
        packets, self._packets = self._packets[:8], self._packets[8:]
        updates.append(packets)
        number = next(self._number)
        look_id = f"look-{number}"
        looks_of_now = self._looks[SEEN:] if self.unseen else self._looks[:SEEN]
        look = {**looks_of_now[number % len(looks_of_now)], "look_id": look_id}
        # A preference of its own, so that the look is matched, not answered from the cache.
        look["preferences"] = {"excluded_brands": [f"nobody-{number}"]}
        record = Record(look_id, json.dumps(look).encode())
        looks.append([record])
        self.asked.append(look_id)

    def rest(self) -> None:
        self._deployment.topic("catalog.updates").append(self._packets)


def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)


def memory_mib(child: Child) -> float:
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def outages(servers: Servers, vllm: LocalServer) -> Iterator[tuple[str, LocalServer, str]]:
    """The server's name in the flows' health, the server, and the kind of outage."""
    for name, server in (
        ("redis", servers.redis.ours),
        ("weaviate", servers.weaviate.ours),
        ("kafka", servers.kafka.ours),
    ):
        yield name, server, "paused"
        yield name, server, "killed"
    yield "vllm", vllm, "paused"


def away(deployment: Deployment, flow: str) -> list[str]:
    try:
        return [part["part"] for part in deployment.health(flow)["away"]]
    except httpx.HTTPError:
        return ["the flow itself"]


async def test_an_outage_of_each_server_in_turn(tmp_path: Path) -> None:
    world = draw_world(tmp_path / "world", seed=41, products=2_000, looks=40, pictured=60)
    with own_vllm(tmp_path / "vllm") as model, real_servers(tmp_path) as servers:
        deployment = deployment_on(servers, tmp_path / "system", world, model)
        trickle = Trickle(deployment, world)
        flows = {flow: deployment.start(flow) for flow in ("catalog", "looks")}
        try:
            for flow in flows:
                until(partial(deployment.answers, flow, "readyz"), 240, f"{flow} ready")
            trickle.some()
            before = {flow: memory_mib(child) for flow, child in flows.items()}
            for name, server, what in outages(servers, model.ours):
                print(f"{name} {what}", flush=True)
                trickle.unseen = name == "vllm"
                output = one_outage(deployment, trickle, server, what)
                if name != "vllm":
                    assert all(any(name in part for part in output[flow]) for flow in flows), output
            after = {flow: memory_mib(child) for flow, child in flows.items()}
            trickle.rest()
            wanted = len(trickle.asked)
            until(lambda: events(deployment).total() >= wanted, 300, "every look has its event")
        finally:
            codes = {flow: child.stop() for flow, child in flows.items()}
            for child in flows.values():
                print(child.log_tail(), flush=True)
        assert codes == {"catalog": 0, "looks": 0}
        last = deployment.start("catalog", once=True)
        assert last.process.wait(600) == 0, last.log_tail()

        async with deployment.stores() as parts:
            report = await catalog_report(
                world.truth(),
                parts.index,
                parts.ledger,
                changes=deployment.records("catalog.changes"),
                dead_letters=deployment.records("catalog.updates.dlq"),
            )
        matches = [
            LookMatches.model_validate_json(record.value)
            for record in deployment.records("looks.matched")
        ]
        letters = [*read_letters(deployment.topic("looks.generated.dlq"))]

    assert report.differences == ()
    assert report.dead_as_expected
    assert report.changes_duplicated == 0
    assert Counter(one.look_id for one in matches) == Counter(trickle.asked)
    assert letters == []
    assert any(name.startswith("describe:") for one in matches for name in one.degraded)
    for flow in flows:
        assert after[flow] - before[flow] < GROWTH_MIB, (before, after)


def one_outage(
    deployment: Deployment, trickle: Trickle, server: LocalServer, what: str
) -> dict[str, set[str]]:
    """Per flow, the servers that it reported as away. It must stay alive and recover."""
    output: dict[str, set[str]] = {"catalog": set(), "looks": set()}
    (server.pause if what == "paused" else server.kill)()
    end = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < end:
        if server.name != "kafka":
            trickle.some()
        for flow, parts in output.items():
            assert deployment.answers(flow, "livez"), f"{flow} without {server.name}"
            parts.update(away(deployment, flow))
        time.sleep(1.0)
    if server.name == "vllm":  # looks are matched without it, and report that
        until_ready(deployment, "without vllm")
    (server.resume if what == "paused" else server.start)()
    until(lambda: takes(trickle), RECOVERED_SECONDS, "the broker takes records")
    until_ready(deployment, f"after {server.name} was {what}")
    return output


def until_ready(deployment: Deployment, when: str) -> None:
    for flow in ("catalog", "looks"):
        until(
            partial(stays_ready, deployment, flow),
            RECOVERED_SECONDS,
            f"{flow} ready {when}: {away(deployment, flow)}",
        )


def stays_ready(deployment: Deployment, flow: str) -> bool:
    """Ready for a while: a restarted server may close a connection once more."""
    end = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < end:
        if not deployment.answers(flow, "readyz"):
            return False
        time.sleep(0.5)
    return True


def takes(trickle: Trickle) -> bool:
    try:
        trickle.some()
    except Unavailable:
        return False
    return True


def events(deployment: Deployment) -> Counter[str]:
    return Counter(record.key for record in deployment.records("looks.matched"))
