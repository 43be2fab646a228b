"""Price packets: the catalog flow beside what others would write for them (price_peers.py).

All read the same packets from Kafka, in turns, each in a process of its own, from its first packet
to its end. Prices move by up to 5 %, so that about every third packet also changes the bucket in
the vector store. Checked: one change per packet, the versions of each product in order, and the
last price of each. Targets: at least 2.0 of Bytewax with GET and SET per packet, 0.25 of Bytewax
with MGET and MSET per batch.

    python -m benchmarks.price_packets BROKERS [PACKETS] [PRODUCTS] [ROUNDS]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import redis
from PIL.Image import Image as PillowImage

from benchmarks import price_peers
from benchmarks.peers import LOOKSYNC, Clock, Cost, in_process, in_turn, open_topics, print_ratio
from benchmarks.price_shop import Shop, changes_since, check
from dataflows import catalog
from dataflows.wiring.clients import Clients
from dataflows.wiring.embedded import embedded_services
from operators.ports import Vector
from operators.stores.redis.embedded_server import ensure_server
from schemas.catalog import Packet
from schemas.records import Record
from schemas.settings import Settings

PEERS = ("bytewax each", "bytewax batch", "bare batch")
TARGETS = {"bytewax each": 2.0, "bytewax batch": 0.25}
SHARED = "OMP_WAIT_POLICY"
"""Set to PASSIVE: torch's threads, idle here, would spin on the two cores."""


class StandInEncoder:
    """Price packets need no encoder: the products' vectors may be anything."""

    fingerprint, dimension, resolution = "stand-in", 512, 224
    reads_text = finds_layers = False

    async def encode_image(self, image: PillowImage) -> Vector:
        drawn = np.random.default_rng(len(image.tobytes())).standard_normal(self.dimension)
        return np.asarray(drawn / np.linalg.norm(drawn), dtype=np.float32)


def run_looksync(settings: Settings, clock: Clock) -> None:
    """The catalog flow as it is deployed, up to the end of its topic."""
    parse = catalog.parse_packet

    def starting(record: Record) -> Packet:
        clock.start()
        return parse(record)

    with (
        patch.object(Clients, "encoder", StandInEncoder()),
        patch.object(catalog, "parse_packet", starting),
        embedded_services(settings),
    ):
        assert catalog.run_catalog(settings, once=True) == 0


def _bytewax(way: str, brokers: str, source: str, target: str, url: str, clock: Clock) -> None:
    price_peers.bytewax(way, brokers, source, target, url, clock.start)


def _bare(count: int, brokers: str, source: str, target: str, url: str, clock: Clock) -> None:
    price_peers.bare_loop(count, brokers, source, target, url, clock.start)


def main() -> None:
    brokers = sys.argv[1]
    count, products, rounds = (
        int(sys.argv[n]) if len(sys.argv) > n else default
        for n, default in ((2, 20_000), (3, 3_000), (4, 3))
    )
    os.environ.setdefault(SHARED, "PASSIVE")
    print(f"{SHARED}={os.environ[SHARED]}, {count} packets of {products} products", flush=True)
    costs: dict[str, list[Cost]] = {name: [] for name in (LOOKSYNC, *PEERS)}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        shop = Shop(base / "pictures", products)
        settings, source, target = open_topics(brokers, base, base)
        source.append(shop.upserts())
        in_process(partial(run_looksync, settings))
        filled = dict(changes_since(target, {}))
        assert len(filled) == products
        server = ensure_server(base / "peer-valkey")
        peers = redis.Redis.from_url(server.url)
        for round_ in range(rounds):
            packets = shop.new_prices(count)
            source.append(packets)
            _, peer_source, _ = open_topics(brokers, base, base)
            peer_source.append(packets)
            for name in in_turn(list(costs), round_):
                before, out = target.end_offsets(), target
                if name == LOOKSYNC:
                    cost = in_process(partial(run_looksync, settings))
                else:
                    with peers.pipeline(transaction=False) as pipe:
                        for key, change in filled.items():
                            product = {"version": 0, "update": change["product"]["update"]}
                            pipe.set(price_peers.PREFIX + key, json.dumps(product))
                        pipe.execute()
                    before, (_, _, out) = {}, open_topics(brokers, base, base)
                    kind, way = name.split()
                    where = (brokers, peer_source.name, out.name, server.url)
                    cost = in_process(
                        partial(_bytewax, way, *where)
                        if kind == "bytewax"
                        else partial(_bare, count, *where)
                    )
                check(name, changes_since(out, before), count, shop)
                costs[name].append(cost)
                print(
                    f"{round_} {name:<14} {count / cost.seconds:8.0f} packets/s "
                    f"{1e6 * cost.cpu_seconds / count:6.1f} us of CPU each   "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
        server.stop()
    for name in PEERS:
        target_ratio = f", target {TARGETS[name]:.2f}" if name in TARGETS else ""
        print_ratio(name, costs[LOOKSYNC], costs[name], target_ratio)


if __name__ == "__main__":
    main()
