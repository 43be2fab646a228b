"""Both flows on real servers of their own, for benchmarks under steady load."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from devservers.deployment import FLOWS, Deployment, ServerAddresses, deploy
from devservers.kafka import kafka_server, provision_kafka
from devservers.redis import provision_redis, redis_server
from devservers.registry import HOME, WEIGHTS
from devservers.vllm import MODEL, provision_vllm, vllm_server
from devservers.weaviate import provision_weaviate, weaviate_server
from sandbox.life import World, draw_world
from schemas.records import Record
from services.processes import Child, free_port

READY_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SteadySystem:
    """``pids``: process id by server or flow."""

    deployment: Deployment
    world: World
    flows: dict[str, Child]
    """By flow; processes that are added are stopped at the end, too."""
    pids: dict[str, int]


@contextmanager
def steady_system(
    folder: Path, *, seed: int, products: int, looks: int, model: bool
) -> Iterator[SteadySystem]:
    """Start servers and flows, apply the world's catalog, and wait until the flows are ready.

    With ``model``, a vLLM server describes the looks.
    """
    world = draw_world(folder / "world", seed=seed, products=products, looks=looks, pictured=300)
    with ExitStack() as running:
        kafka = kafka_server(provision_kafka(HOME), folder / "kafka", free_port())
        grpc_port = free_port()
        binary = provision_weaviate(HOME)
        weaviate = weaviate_server(binary, folder / "weaviate", free_port(), grpc_port)
        redis = redis_server(provision_redis(HOME), folder / "redis", free_port())
        servers = [kafka, weaviate, redis]
        vlm = None
        if model:
            vllm = vllm_server(provision_vllm(HOME), WEIGHTS, folder / "vllm", free_port())
            servers.append(vllm)
            vlm = {"kind": "openai", "prompts": "sandbox-1", "url": vllm.address, "model": MODEL}
        for server in servers:
            running.enter_context(server)
        deployment = deploy(
            folder / "system",
            ServerAddresses(kafka.address, weaviate.address, grpc_port, redis.address),
            pictures=world.folder,
            vlm=vlm,
        )
        deployment.topic("catalog.updates").append(world.packet_records())
        first = deployment.start("catalog", once=True)
        if first.process.wait(900):
            raise SystemExit(first.log_tail())
        flows: dict[str, Child] = {}
        running.callback(lambda: [child.stop() for child in flows.values()])
        for flow in FLOWS:
            flows[flow] = deployment.start(flow)
        end = time.monotonic() + READY_SECONDS
        while not all(deployment.answers(flow, "readyz") for flow in FLOWS):
            if time.monotonic() > end:
                raise SystemExit("the flows are not ready")
            time.sleep(0.2)
        pids = {server.name: server.pid for server in servers}
        pids |= {f"{flow} flow": child.process.pid for flow, child in flows.items()}
        yield SteadySystem(deployment, world, flows, pids)


def packets(world: World, *, new_every: int) -> Iterator[Record]:
    """Endless packets: the vendors' upserts with current versions, every ``new_every``-th for a new
    product."""
    fates = (packet.fate for packet in world.truth().packets)
    applied = [
        json.loads(record.value)
        for record, fate in zip(world.packet_records(), fates, strict=True)
        if fate not in ("dead", "pending")  # the latter have no picture and wait
    ]
    # northfold's payloads contain the product's id, so they cannot stand for another product.
    upserts = [p for p in applied if p.get("kind") == "upsert" and p["vendor"] != "northfold"]
    for number, packet in enumerate(cycle(upserts)):
        product = f"new-{number}" if number % new_every == 0 else packet["product_id"]
        fresh = {**packet, "product_id": product, "version": time.time_ns() // 1000}
        yield Record(f"{packet['vendor']}:{product}", json.dumps(fresh).encode())


def looks(world: World) -> Iterator[Record]:
    """Endless looks: the world's under new ids, each with a preference of its own, so that none is
    answered from the result cache."""
    known = [json.loads(record.value) for record in world.look_event_records()]
    for number, look in enumerate(cycle(known)):
        look_id = f"steady-{number}"
        preferences = {"preferences": {"excluded_brands": [look_id]}}
        yield Record(look_id, json.dumps({**look, **preferences, "look_id": look_id}).encode())
