"""New products with pictures: the catalog flow beside what others would write (picture_peers.py).

All embed the same JPEGs of 800 x 1000 pixels, in turns, each in a process of its own, from its
first picture to its end. The flow also guards, hashes, maps, keeps thumbnails and a ledger, exactly
once. Checked: a product and a change for each, and vectors equal to those of the bare loop up to a
cosine of .999. Targets: 0.75 of the bare loop, 0.95 of Bytewax. Processor time includes the
decoding processes.

    python -m benchmarks.peers_pictures BROKERS [PICTURES] [ROUNDS]
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import apsw
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from benchmarks import picture_peers
from benchmarks.peers import (
    LOOKSYNC,
    Clock,
    Cost,
    cpu_seconds_with_children,
    in_process,
    in_turn,
    open_topics,
    print_ratio,
)
from benchmarks.price_shop import VENDOR, shirt
from dataflows import catalog
from dataflows.wiring.embedded import embedded_services
from operators.catalog.apply import Applied, apply_packet
from operators.catalog.parts import CatalogParts
from sandbox.world import draw_product, sample_garment
from schemas.catalog import Packet
from schemas.records import Record
from schemas.settings import Settings

VARIANTS = 10
"""Pictures of one drawing, each of another brightness: no two have the same pixels."""
PEERS = {"bare loop": 0.75, "bytewax": 0.95}
"""Name -> target of the ratio."""


def draw_pictures(folder: Path, count: int) -> list[str]:
    """Paths of JPEGs, 800 x 1000 pixels."""
    rng, paths = random.Random(5), []
    for number in range(count):
        if number % VARIANTS == 0:
            drawn = draw_product(sample_garment(rng), rng, 384)
            picture = drawn.resize((800, 1000), Image.Resampling.BICUBIC)
        brightness = 0.8 + 0.04 * (number % VARIANTS)
        path = folder / f"{number:05d}.jpg"
        ImageEnhance.Brightness(picture).enhance(brightness).save(path, quality=88)
        paths.append(str(path))
    return paths


def packets(paths: list[str]) -> Iterator[Record]:
    for number, path in enumerate(paths):
        payload = shirt(str(number), number, Path(path), 1050 + 100 * (number % 90))
        packet = {"vendor": VENDOR, "product_id": str(number), "kind": "upsert", "version": 1}
        yield Record(f"{VENDOR}:{number}", json.dumps({**packet, "payload": payload}).encode())


def run_looksync(settings: Settings, clock: Clock) -> None:
    """The catalog flow as it is deployed, up to the end of its topic."""

    async def starting(packet: Packet, position: str, parts: CatalogParts) -> Applied:
        clock.start()
        return await apply_packet(packet, position, parts)

    with patch.object(catalog, "apply_packet", starting), embedded_services(settings):
        assert catalog.run_catalog(settings, once=True) == 0


def _bytewax(brokers: str, source: str, target: str, base: Path, clock: Clock) -> None:
    picture_peers.bytewax(brokers, source, target, base, clock.start)


def _bare(paths: list[str], base: Path, clock: Clock) -> None:
    picture_peers.bare_loop(paths, base, clock.start)


def run_once(name: str, brokers: str, paths: list[str], base: Path) -> Cost:
    """Run ``name`` over new topics and stores, and check what it wrote."""
    settings, source, target = open_topics(brokers, Path(paths[0]).parent, base)
    measured = partial(in_process, cpu_seconds=cpu_seconds_with_children)
    source.append(packets(paths))
    if name == "bare loop":
        return measured(partial(_bare, paths, base))
    if name == LOOKSYNC:
        cost = measured(partial(run_looksync, settings))
        thumbnails = sum(1 for _ in (base / "thumbnails").rglob("*.jpg"))
        assert thumbnails == len(paths), f"{thumbnails} thumbnails"
    else:
        cost = measured(partial(_bytewax, brokers, source.name, target.name, base))
    changes = sum(target.end_offsets().values())
    # A transaction's end takes an offset, too.
    assert changes >= len(paths), f"{name}: {changes} changes"
    return cost


def vectors_of(name: str, base: Path) -> dict[str, NDArray[np.float32]]:
    """Number of the picture -> its vector."""
    file, rows = {
        LOOKSYNC: ("index", "SELECT p.key, v.vector FROM products p JOIN vectors v USING(id)"),
        "bytewax": ("bytewax", "SELECT key, vector FROM products"),
        "bare loop": ("bare", "SELECT key, vector FROM products"),
    }[name]
    opened = apsw.Connection(str(base / f"{file}.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    return {
        str(int(Path(str(key).rpartition(":")[2]).stem)): np.frombuffer(vector, np.float32)
        for key, vector in opened.execute(rows)
    }


def check(name: str, found: dict[str, NDArray[np.float32]], bare: Path, count: int) -> None:
    """A vector for each picture, equal to the bare loop's."""
    expected = vectors_of("bare loop", bare)
    assert len(found) == count, f"{name}: {len(found)} vectors of {count} pictures"
    cosine = min(float(found[number] @ expected[number]) for number in expected)
    assert cosine > 0.999, f"{name}: a vector with a cosine of {cosine:.4f}"


def main() -> None:
    brokers = sys.argv[1]
    count, rounds = (
        int(sys.argv[n]) if len(sys.argv) > n else default for n, default in ((2, 1000), (3, 3))
    )
    names = [LOOKSYNC, *PEERS]
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    policy = os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    print(f"OMP_WAIT_POLICY={policy} for all, {count} pictures", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        paths = draw_pictures(pictures, count)
        for round_ in range(rounds):
            bases = {name: Path(tempfile.mkdtemp(dir=folder)) for name in names}
            for name in in_turn(names, round_):
                cost = run_once(name, brokers, paths, bases[name])
                costs[name].append(cost)
                print(
                    f"{round_} {name:<10} {count / cost.seconds:7.1f} pictures/s "
                    f"{1e3 * cost.cpu_seconds / count:6.2f} ms of CPU each   "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
            for name in names:
                check(name, vectors_of(name, bases[name]), bases["bare loop"], count)
    for name, target in PEERS.items():
        print_ratio(name, costs[LOOKSYNC], costs[name], f", target {target:.2f}")


if __name__ == "__main__":
    main()
