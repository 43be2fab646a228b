"""A vendor's feed: compare today's full export with yesterday's and send the differences.

    python examples/vendor_feed.py 127.0.0.1:9092 northfold export.jsonl --seen seen.json

Each line of the export is one item in the vendor's own format, with its id in "sku" (--id).
LookSync maps the fields by the vendor's mapping (operators/catalog/mappings/). The version is the
time of the export. It only has to grow; packets may be repeated and may arrive in any order.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

from confluent_kafka import Producer

TOPIC = "catalog.updates"


def packet(vendor: str, item: str, kind: str, version: int, payload: object) -> dict[str, object]:
    """The record's value; it conforms to docs/schemas/catalog.updates.v1.json."""
    head = {"vendor": vendor, "product_id": item, "kind": kind, "version": version}
    return {"schema_version": 1, **head, "payload": payload}


def main() -> int:
    """Send the differences; record them as seen only after the broker has acknowledged all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("brokers")
    parser.add_argument("vendor")
    parser.add_argument("export", type=Path)
    parser.add_argument("--id", default="sku", help="name of the field with the item's id")
    parser.add_argument("--seen", type=Path, default=Path("seen.json"))
    arguments = parser.parse_args()

    seen = json.loads(arguments.seen.read_text()) if arguments.seen.exists() else {}
    lines = arguments.export.read_text(encoding="utf-8").splitlines()
    items = {str(item[arguments.id]): item for item in map(json.loads, lines)}
    digests = {
        name: hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
        for name, item in items.items()
    }
    version = time.time_ns() // 1000  # microseconds since 1970
    packets = [
        packet(arguments.vendor, name, "upsert", version, item)
        for name, item in items.items()
        if seen.get(name) != digests[name]
    ]
    packets += [
        packet(arguments.vendor, name, "delete", version, {}) for name in seen if name not in items
    ]

    producer = Producer({"bootstrap.servers": arguments.brokers, "enable.idempotence": True})
    failed = []
    for change in packets:
        # The key is vendor:product_id, so that the packets of one item stay in order.
        key, value = f"{change['vendor']}:{change['product_id']}", json.dumps(change).encode()
        producer.produce(
            TOPIC, value, key, on_delivery=lambda error, _: error and failed.append(error)
        )
        producer.poll(0)
    if producer.flush(30) or failed:
        print("some packets were not delivered; run again (repeating is harmless)", *failed[:3])
        return 1
    arguments.seen.write_text(json.dumps(digests))
    print(f"{len(packets)} packets sent, {len(items)} items in the export")
    return 0


if __name__ == "__main__":
    sys.exit(main())
