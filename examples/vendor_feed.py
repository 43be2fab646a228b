"""A vendor's feed: compares today's whole export with yesterday's and sends what differs.

    python examples/vendor_feed.py 127.0.0.1:9092 northfold export.jsonl --seen seen.json

Each line of the export is one item as the vendor has it, with its id in "sku" (--id). LookSync maps
the fields by the vendor's mapping (operators/catalog/mappings/). The version is the time of the
export: it only has to grow; packets may be repeated and may arrive in any order.
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
    """The record's value, as in docs/schemas/catalog.updates.v1.json."""
    told = {"vendor": vendor, "product_id": item, "kind": kind, "version": version}
    return {"schema_version": 1, **told, "payload": payload}


def main() -> int:
    """Send, wait for the broker, and only then remember what was sent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("brokers")
    parser.add_argument("vendor")
    parser.add_argument("export", type=Path)
    parser.add_argument("--id", default="sku", help="name of the field with the item's id")
    parser.add_argument("--seen", type=Path, default=Path("seen.json"))
    asked = parser.parse_args()

    seen = json.loads(asked.seen.read_text()) if asked.seen.exists() else {}
    lines = asked.export.read_text(encoding="utf-8").splitlines()
    items = {str(item[asked.id]): item for item in map(json.loads, lines)}
    digests = {
        name: hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()
        for name, item in items.items()
    }
    version = time.time_ns() // 1000  # microseconds since 1970
    packets = [
        packet(asked.vendor, name, "upsert", version, item)
        for name, item in items.items()
        if seen.get(name) != digests[name]
    ]
    packets += [
        packet(asked.vendor, name, "delete", version, {}) for name in seen if name not in items
    ]

    producer = Producer({"bootstrap.servers": asked.brokers, "enable.idempotence": True})
    failed = []
    for one in packets:
        # The key is vendor:product_id, so that the packets of one item stay in order.
        key, value = f"{one['vendor']}:{one['product_id']}", json.dumps(one).encode()
        producer.produce(TOPIC, value, key, on_delivery=lambda e, _: e and failed.append(e))
        producer.poll(0)
    if producer.flush(30) or failed:
        print("not everything was delivered; run again, repeating does no harm", *failed[:3])
        return 1
    asked.seen.write_text(json.dumps(digests))
    print(f"{len(packets)} packets sent, {len(items)} items in the export")
    return 0


if __name__ == "__main__":
    sys.exit(main())
