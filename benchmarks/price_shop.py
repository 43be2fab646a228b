"""The vendor whose prices change in the benchmark `price_packets`, and the check of its changes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import TopicPartition
from PIL import Image

from operators.streaming.kafka.topic import KafkaTopic
from schemas.records import Record

VENDOR = "google_merchant"
PICTURES = 300
"""A product's picture is one of these."""


def shirt(product: str, number: int, picture: Path, cents: int) -> dict[str, Any]:
    """A shirt as the vendor describes it; ``number``: in its title."""
    return {
        "id": product,
        "title": f"Cotton shirt {number}",
        "brand": "Acme",
        "google_product_category": "Apparel & Accessories > Clothing > Shirts & Tops",
        "gender": "female",
        "color": "blue",
        "pattern": "striped",
        "size": "M",
        "image_link": picture.as_uri(),
        "price": f"{cents / 100:.2f} USD",
        "availability": "in stock",
        "target_country": "US",
        "content_language": "en",
    }


class Shop:
    """The vendor: it knows the last price of each product."""

    def __init__(self, folder: Path, products: int) -> None:
        self._folder = folder
        self._versions = 0
        self._draw = random.Random(7)
        self.cents = {f"p{n:05d}": 2000 + (n * 3700) % 18_000 for n in range(products)}
        self._list_cents = dict(self.cents)
        folder.mkdir()
        for n in range(PICTURES):
            colour = (37 * n % 256, 91 * n % 256, 53 * n % 256)
            picture = Image.new("RGB", (64, 64), colour)
            picture.paste("white", (16, 16, 48, 48))  # else refused as blank
            picture.save(folder / f"{n}.png")

    def upserts(self) -> Iterator[Record]:
        for n, (product, cents) in enumerate(self.cents.items()):
            payload = shirt(product, n % 50, self._folder / f"{n % PICTURES}.png", cents)
            yield self._packet(product, "upsert", payload)

    def new_prices(self, count: int) -> list[Record]:
        """Packets of products drawn at random; each changes the price."""
        products = list(self.cents)
        packets = []
        for _ in range(count):
            product = self._draw.choice(products)
            before = self.cents[product]
            while self.cents[product] == before:
                self.cents[product] = round(
                    self._list_cents[product] * self._draw.uniform(0.95, 1.05)
                )
            price = f"{self.cents[product] / 100:.2f} USD"
            packets.append(self._packet(product, "patch", {"price": price}))
        return packets

    def _packet(self, product: str, kind: str, payload: dict[str, Any]) -> Record:
        self._versions += 1
        packet = {
            "vendor": VENDOR,
            "product_id": product,
            "kind": kind,
            "version": self._versions,
            "payload": payload,
        }
        return Record(f"{VENDOR}:{product}", json.dumps(packet).encode())


def changes_since(topic: KafkaTopic, starts: dict[int, int]) -> list[tuple[str, dict[str, Any]]]:
    """Key and value of the committed records after ``starts``."""
    consumer = topic.brokers.consumer("bench")
    ends = {p: end for p, end in topic.end_offsets().items() if end > starts.get(p, 0)}
    consumer.assign([TopicPartition(topic.name, p, starts.get(p, 0)) for p in ends])
    found: list[tuple[str, dict[str, Any]]] = []
    while not _reached(consumer, topic, ends):
        found += [
            ((message.key() or b"").decode(), json.loads(message.value() or b""))
            for message in consumer.consume(1000, 0.5)
            if message.error() is None
        ]
    consumer.close()
    return found


def _reached(consumer: Any, topic: KafkaTopic, ends: dict[int, int]) -> bool:
    positions = consumer.position([TopicPartition(topic.name, p) for p in ends])
    return all(position.offset >= ends[position.partition] for position in positions)


def check(name: str, changes: list[tuple[str, dict[str, Any]]], count: int, shop: Shop) -> None:
    """Require that the run ``name`` has lost, doubled and reordered nothing, and that the last
    prices are right."""
    assert len(changes) == count, f"{name}: {len(changes)} changes of {count} packets"
    versions: dict[str, int] = {}
    for key, change in changes:
        assert change["version"] > versions.get(key, 0), f"{name}: {key} is out of order"
        versions[key] = change["version"]
    for key, change in dict(changes).items():
        cents = shop.cents[key.partition(":")[2]]
        if "product" in change:
            assert change["product"]["price"] == {"amount_minor": cents, "currency": "USD"}, key
        else:
            assert change["update"]["price"] == f"{cents / 100:.2f} USD", key
