"""Each server away for half a minute: nothing lost, health is true, all goes on by itself."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest
from conftest import own_vllm
from whole_system import Servers, deployment_on, real_servers

from devservers.deployment import Deployment
from devservers.server import LocalServer
from evaluation.sandbox.catalog_report import catalog_report
from operators.streaming.dead_letters import read_letters
from sandbox.life import World, draw_world
from schemas.errors import Unavailable
from schemas.looks import LookMatches
from schemas.records import Record
from services.processes import Child

pytestmark = [pytest.mark.services, pytest.mark.timeout(2400)]

AWAY_SECONDS = 30.0
RECOVERED_SECONDS = 120.0
"""Until the flow says that it is ready again; on an idle machine a few seconds."""
SETTLED_SECONDS = 10.0
SEEN = 10
"""Pictures of looks before the model is away."""
GROWTH_MIB = 300.0


class Trickle:
    """A steady feed of both topics, a little at a time; what the broker does not take waits."""

    def __init__(self, deployment: Deployment, world: World) -> None:
        self._deployment = deployment
        self._packets = list(world.packet_records())
        self._looks = [json.loads(record.value) for record in world.look_event_records()]
        self._number = count()
        self.asked: list[str] = []
        self.unseen = False
        """Looks whose pictures have not been described before, as descriptions are kept."""

    def some(self) -> None:
        updates = self._deployment.topic("catalog.updates")
        looks = self._deployment.topic("looks.generated")
        packets, self._packets = self._packets[:8], self._packets[8:]
        updates.append(packets)
        number = next(self._number)
        look_id = f"look-{number}"
        looks_of_now = self._looks[SEEN:] if self.unseen else self._looks[:SEEN]
        look = {**looks_of_now[number % len(looks_of_now)], "look_id": look_id}
        # With a wish of its own: so that it is matched, not answered from the cache.
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
    """Name of the part as the flows call it, the server, and what befalls it."""
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


async def test_half_a_minute_without_each_server_in_turn(tmp_path: Path) -> None:
    world = draw_world(tmp_path / "world", seed=41, products=2_000, looks=40, pictured=60)
    with own_vllm(tmp_path / "vllm") as model, real_servers(tmp_path) as servers:
        deployment = deployment_on(servers, tmp_path / "system", world, model)
        trickle = Trickle(deployment, world)
        flows = {flow: deployment.start(flow) for flow in ("catalog", "looks")}
        try:
            for flow in flows:
                until(lambda flow=flow: deployment.answers(flow, "readyz"), 240, f"{flow} ready")
            trickle.some()
            before = {flow: memory_mib(child) for flow, child in flows.items()}
            for name, server, what in outages(servers, model.ours):
                print(f"{name} {what}", flush=True)
                trickle.unseen = name == "vllm"
                told = one_outage(deployment, trickle, server, what)
                if name != "vllm":
                    assert all(any(name in part for part in told[flow]) for flow in flows), told
            after = {flow: memory_mib(child) for flow, child in flows.items()}
            trickle.rest()
            wanted = len(trickle.asked)
            until(lambda: events(deployment).total() >= wanted, 300, "every look has its event")
        finally:
            codes = {flow: child.stop() for flow, child in flows.items()}
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
    """Per flow, the parts that it said were away meanwhile. It must live, and recover."""
    told: dict[str, set[str]] = {"catalog": set(), "looks": set()}
    (server.pause if what == "paused" else server.kill)()
    end = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < end:
        if server.name != "kafka":
            trickle.some()
        for flow, parts in told.items():
            assert deployment.answers(flow, "livez"), f"{flow} without {server.name}"
            parts.update(away(deployment, flow))
        time.sleep(1.0)
    if server.name == "vllm":  # looks go on without it, and say so
        until_ready(deployment, "without vllm")
    (server.resume if what == "paused" else server.start)()
    until(lambda: takes(trickle), RECOVERED_SECONDS, "the broker takes records")
    until_ready(deployment, f"after {server.name} was {what}")
    return told


def until_ready(deployment: Deployment, when: str) -> None:
    for flow in ("catalog", "looks"):
        until(
            lambda flow=flow: stays_ready(deployment, flow),
            RECOVERED_SECONDS,
            f"{flow} ready {when}: {away(deployment, flow)}",
        )


def stays_ready(deployment: Deployment, flow: str) -> bool:
    """For a while: a server that comes back may hang up on a client once more."""
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
