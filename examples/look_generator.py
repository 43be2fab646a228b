"""A look generator: publishes every picture of a folder as a look.

    python examples/look_generator.py 127.0.0.1:9092 FOLDER --market IN

It needs confluent-kafka and nothing of LookSync: a look is JSON as in
docs/schemas/looks.generated.v1.json. The look_id is made of the picture's bytes and its market, so
publishing a folder again repeats the looks, and LookSync answers each of them once.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

TOPIC = "looks.generated"
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def look(picture: bytes, market: str, user_id: str | None) -> dict[str, object]:
    """The record's value."""
    return {
        "schema_version": 1,
        "look_id": hashlib.sha256(picture + market.encode()).hexdigest()[:32],
        "image": {"data": base64.b64encode(picture).decode()},  # or {"url": "https://..."}
        "user_id": user_id,
        "market": market,
        "preferences": {"excluded_brands": []},
        "created_at": datetime.now(UTC).isoformat(),
    }


def main() -> int:
    """Publish, wait for the broker's word on each, say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("brokers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--market", default="IN", help="ISO country code")
    parser.add_argument("--user", help="whom the looks are for")
    asked = parser.parse_args()
    failed: list[str] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failed.append(f"{message.key()!r}: {error}")

    # Idempotent: what the client sends again after a broken connection is stored once.
    producer = Producer({"bootstrap.servers": asked.brokers, "enable.idempotence": True})
    published = 0
    for path in sorted(asked.folder.iterdir()):
        if path.suffix.lower() in PICTURES:
            event = look(path.read_bytes(), asked.market, asked.user)
            # The key is the look_id: what has the same key stays in order, and is one look.
            key = str(event["look_id"])
            producer.produce(TOPIC, json.dumps(event).encode(), key, on_delivery=delivered)
            producer.poll(0)
            published += 1
    waiting = producer.flush(30)
    print(f"{published - waiting - len(failed)} of {published} looks published", *failed, sep="\n")
    return 1 if waiting or failed else 0


if __name__ == "__main__":
    sys.exit(main())
