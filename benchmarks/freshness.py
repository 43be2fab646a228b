"""Latency from packet to searchable product and from look to event, at a steady rate.

    python -m benchmarks.freshness [SECONDS]

Runs twice on real servers: with looks described by the tagger, and by the sandbox's model on vLLM.
Weaviate is polled for each new product until it is found; a consumer of looks.matched receives the
events.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from confluent_kafka import Consumer

from benchmarks.steady_system import SteadySystem, looks, packets, steady_system
from operators.streaming.kafka.brokers import Brokers
from schemas.records import Record

PACKETS_PER_SECOND = 20
NEW_EVERY = 10
LOOKS_PER_SECOND = 0.5
POLL_INTERVAL_SECONDS = 0.02
MISSING_SECONDS = 60.0
"""After the last record was sent, without another product in the index: the others are missing."""


def feed(system: SteadySystem, seconds: float, sent: dict[str, float]) -> dict[str, int]:
    """Produce to both topics at their rates; return the number of records per topic.

    ``sent`` receives the Unix time at which each record was sent, by key.
    """
    producer = Brokers(system.deployment.settings.topics).producer()
    updates, wanted = packets(system.world, new_every=NEW_EVERY), looks(system.world)
    started, counts = time.monotonic(), {"catalog.updates": 0, "looks.generated": 0}
    look_every = round(PACKETS_PER_SECOND / LOOKS_PER_SECOND)
    while time.monotonic() - started < seconds:
        ticks = counts["catalog.updates"]
        batch: list[tuple[str, Record]] = [("catalog.updates", next(updates))]
        if ticks % look_every == 0:
            batch.append(("looks.generated", next(wanted)))
        for topic, record in batch:
            sent[record.key] = time.time()
            producer.produce(topic, record.value, record.key)
            counts[topic] += 1
        producer.poll(0)
        time.sleep(max(0.0, started + (ticks + 1) / PACKETS_PER_SECOND - time.monotonic()))
    if producer.flush(30):
        raise SystemExit("Kafka did not take every record")
    return counts


async def searchable(
    system: SteadySystem, sent: dict[str, float], done: threading.Event
) -> list[float]:
    """Seconds from sending each new product until the index has it."""
    latencies: list[float] = []
    seen, moved = set[str](), time.monotonic()
    async with system.deployment.stores() as parts:
        while True:
            missing = [key for key in list(sent) if ":new-" in key and key not in seen]
            if done.is_set() and not missing:
                return latencies
            for key in missing:
                if await parts.index.get(key) is not None:
                    latencies.append(time.time() - sent[key])
                    seen.add(key)
                    moved = time.monotonic()
            if done.is_set() and time.monotonic() - moved > MISSING_SECONDS:
                for key in missing:
                    print(key, "is not in the index; the ledger:", await parts.ledger.read(key))
                raise SystemExit("products are missing")
            await asyncio.sleep(POLL_INTERVAL_SECONDS)


def answered(system: SteadySystem, sent: dict[str, float], done: threading.Event) -> list[float]:
    """Seconds from sending each look until its event can be read."""
    brokers = ",".join(system.deployment.settings.topics.brokers)
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": "freshness", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["looks.matched"])
    latencies: dict[str, float] = {}
    while not done.is_set() or len(latencies) < sum(key.startswith("steady-") for key in sent):
        message = consumer.poll(0.05)
        if message is not None and message.error() is None and (raw := message.key()):
            if (key := raw.decode()) in latencies:
                raise SystemExit(f"two events of look {key}")
            latencies[key] = time.time() - sent[key]
    consumer.close()
    return list(latencies.values())


def run(seconds: float, *, model: bool) -> dict[str, list[float]]:
    sent: dict[str, float] = {}
    done, found = threading.Event(), dict[str, list[float]]()
    with (
        tempfile.TemporaryDirectory() as folder,
        steady_system(Path(folder), seed=71, products=2000, looks=60, model=model) as system,
    ):
        readers = [
            threading.Thread(
                target=lambda: found.update(packet=asyncio.run(searchable(system, sent, done)))
            ),
            threading.Thread(target=lambda: found.update(look=answered(system, sent, done))),
        ]
        for reader in readers:
            reader.start()
        feed(system, seconds, sent)
        done.set()
        for reader in readers:
            reader.join(300)
    return found


def main(seconds: float = 120.0) -> None:
    for model in (False, True):
        found = run(seconds, model=model)
        print("looks described by " + ("the model on vLLM" if model else "the tagger"))
        for what, latencies in found.items():
            p50, p95, p99 = np.percentile(latencies, [50, 95, 99])
            print(
                f"  {what:8} {len(latencies):5} p50 {p50:6.2f} s p95 {p95:6.2f} s p99 {p99:6.2f} s"
            )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
