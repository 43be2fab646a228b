"""A look generator: publish every picture of a folder as a look.

    python examples/look_generator.py 127.0.0.1:9092 FOLDER --market IN

It needs confluent-kafka and Pillow, and nothing from LookSync. A look is JSON that conforms to
docs/schemas/looks.generated.v1.json. The look_id is derived from the picture's bytes and the
market, so publishing a folder again repeats the looks, and LookSync answers each of them once. A
picture that does not fit in a record is sent smaller.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer
from PIL import Image

TOPIC = "looks.generated"
LARGEST = 8 * 2**20  # bytes of a record: topics.kafka.max_record_bytes in LookSync's settings
HEADROOM = 64 * 1024  # of a record, for all but its picture
SIDE = 2048  # pixels; models see less
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def fitting(picture: bytes) -> bytes:
    """The picture, or a smaller JPEG when its base64 does not fit in a record."""
    if len(picture) * 4 // 3 <= LARGEST - HEADROOM:
        return picture
    with Image.open(io.BytesIO(picture)) as opened:
        opened.draft("RGB", (SIDE, SIDE))  # decodes a large JPEG at a fraction of its size
        smaller = opened.convert("RGB")
    smaller.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    smaller.save(out, "JPEG", quality=90)
    return out.getvalue()


def look_record(picture: bytes, market: str, user_id: str | None) -> dict[str, object]:
    """The value of the record for one look."""
    return {
        "schema_version": 1,
        "look_id": hashlib.sha256(picture + market.encode()).hexdigest()[:32],
        "image": {"data": base64.b64encode(fitting(picture)).decode()},  # or {"url": "https://..."}
        "user_id": user_id,
        "market": market,
        "preferences": {"excluded_brands": []},
        "created_at": datetime.now(UTC).isoformat(),
    }


def main() -> int:
    """Publish all looks, wait until the broker has acknowledged them, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("brokers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--market", default="IN", help="ISO country code")
    parser.add_argument("--user", help="the user whom the looks are for")
    arguments = parser.parse_args()
    failed: list[str] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failed.append(f"{message.key()!r}: {error}")

    # Idempotent: a record that the client resends after a broken connection is stored once.
    settings = {"enable.idempotence": True, "message.max.bytes": LARGEST}
    producer = Producer({"bootstrap.servers": arguments.brokers, **settings})
    published = 0
    for path in sorted(arguments.folder.iterdir()):
        if path.suffix.lower() in PICTURES:
            record = look_record(path.read_bytes(), arguments.market, arguments.user)
            # The key must be the look_id; records with the same key stay in order.
            key = str(record["look_id"])
            producer.produce(TOPIC, json.dumps(record).encode(), key, on_delivery=on_delivery)
            producer.poll(0)
            published += 1
    unsent = producer.flush(30)
    print(f"{published - unsent - len(failed)} of {published} looks published", *failed, sep="\n")
    return 1 if unsent or failed else 0


if __name__ == "__main__":
    sys.exit(main())
