"""What others would write for price packets: read the product, compare versions, write it, publish.

No mapping, no index, no dead letters, and at least once. In the same language, with the same
clients, on the same Kafka and the same kind of Redis.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

import bytewax.operators as op
import redis
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from confluent_kafka import Consumer, Producer

from benchmarks.peers import run_bytewax

PREFIX = "peer:"
BATCH = 500

Keyed = tuple[str, dict[str, Any]]


def patched(value: bytes, packet: dict[str, Any]) -> bytes | None:
    """The product with the price of ``packet``; None when the packet is stale."""
    entry = json.loads(value)
    if packet["version"] <= entry["version"]:
        return None
    entry["version"] = packet["version"]
    entry["update"]["price"] = packet["payload"]["price"]
    return json.dumps(entry).encode()


def apply_each(store: redis.Redis, keyed: Keyed) -> tuple[str, bytes] | None:
    """GET, compare, SET."""
    key, packet = keyed
    new = patched(cast(bytes, store.get(PREFIX + key)), packet)
    if new is None:
        return None
    store.set(PREFIX + key, new)
    return key, new


def apply_batch(store: redis.Redis, batch: list[Keyed]) -> list[tuple[str, bytes]]:
    """MGET, compare, MSET."""
    keys = list(dict.fromkeys(key for key, _ in batch))
    values = cast(list[bytes], store.mget([PREFIX + key for key in keys]))
    latest, changes = dict(zip(keys, values, strict=True)), []
    for key, packet in batch:
        new = patched(latest[key], packet)
        if new is not None:
            latest[key] = new
            changes.append((key, new))
    store.mset({PREFIX + key: value for key, value in latest.items()})
    return changes


def bytewax(
    way: str, brokers: str, source: str, target: str, url: str, first: Callable[[], None]
) -> None:
    """A flow of stock connectors. ``way``: each or batch; ``first`` is called with each batch."""
    store = redis.Redis.from_url(url)
    flow = Dataflow("peer")
    records = kafka.input("in", flow, brokers=[brokers], topics=[source], tail=False).oks
    parsed = op.map(
        "parse", records, lambda m: ((m.key or b"").decode(), json.loads(m.value or b""))
    )

    def each(keyed: Keyed) -> tuple[str, bytes] | None:
        first()
        return apply_each(store, keyed)

    def batch(keyed: list[Keyed]) -> list[tuple[str, bytes]]:
        first()
        return apply_batch(store, keyed)

    done = (
        op.filter_map("apply", parsed, each)
        if way == "each"
        else op.flat_map_batch("apply", parsed, batch)
    )
    out = op.map("out", done, lambda pair: KafkaSinkMessage(pair[0].encode(), pair[1]))
    kafka.output("to", out, brokers=[brokers], topic=target)
    run_bytewax(flow)


def bare_loop(
    count: int, brokers: str, source: str, target: str, url: str, first: Callable[[], None]
) -> None:
    """Consume, MGET, MSET, produce; flush and commit once a second."""
    store = redis.Redis.from_url(url)
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": target,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "linger.ms": 5,
            "enable.idempotence": True,
            "compression.type": "lz4",
        }
    )
    consumer.subscribe([source])
    epoch = time.monotonic()
    while count:
        messages = consumer.consume(BATCH, 0.2)
        if messages:
            first()
            batch = [((m.key() or b"").decode(), json.loads(m.value() or b"")) for m in messages]
            for key, value in apply_batch(store, batch):
                while True:
                    try:
                        producer.produce(target, value, key.encode())
                        break
                    except BufferError:
                        producer.poll(0.05)
        producer.poll(0)
        count -= len(messages)
        if time.monotonic() > epoch + 1 or not count:
            producer.flush()
            consumer.commit(asynchronous=False)
            epoch = time.monotonic()
    consumer.close()
