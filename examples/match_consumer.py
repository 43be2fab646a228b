"""An app that consumes looks.matched and stores each look's products in SQLite, once.

    python examples/match_consumer.py 127.0.0.1:9092 matches.sqlite --idle-seconds 10

Rules for a consumer (docs/integration.md): after a crash of the consumer an event may be read
again, so the event_id decides whether it is new. Unknown fields are ignored. An event with a higher
schema_version is stored unparsed, for a newer version of this program.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time

from confluent_kafka import Consumer, KafkaException

TOPIC, VERSION = "looks.matched", 1
TABLES = """
CREATE TABLE IF NOT EXISTS events(event_id TEXT PRIMARY KEY, look_id TEXT NOT NULL, refused TEXT);
CREATE TABLE IF NOT EXISTS products(
    look_id TEXT, layer TEXT, rank INTEGER, product TEXT, confidence REAL,
    PRIMARY KEY (look_id, layer, rank));
CREATE TABLE IF NOT EXISTS later(event_id TEXT PRIMARY KEY, event BLOB NOT NULL);
"""


def store(database: sqlite3.Connection, value: bytes) -> str:
    """Store one event in one transaction; return "new", "repeated" or "later"."""
    event = json.loads(value)
    with database:
        if event["schema_version"] > VERSION:
            row = (event["event_id"], value)
            database.execute("INSERT OR IGNORE INTO later VALUES(?, ?)", row)
            return "later"
        row = (event["event_id"], event["look_id"], event.get("refused"))
        if not database.execute("INSERT OR IGNORE INTO events VALUES(?, ?, ?)", row).rowcount:
            return "repeated"
        for layer in event["layers"]:  # a layer that abstained has no products: show nothing
            for match in layer["products"]:
                product = (match["rank"], match["product"]["key"], layer["confidence"])
                row = (event["look_id"], layer["layer"], *product)
                database.execute("INSERT INTO products VALUES(?, ?, ?, ?, ?)", row)
    return "new"


def main() -> int:
    """Consume until no event has arrived for --idle-seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("brokers")
    parser.add_argument("database")
    parser.add_argument("--idle-seconds", type=float, default=10, help="end when idle this long")
    arguments = parser.parse_args()
    database = sqlite3.connect(arguments.database)
    database.executescript(TABLES)
    # Commit the offset after the transaction: a crash in between repeats events, never loses any.
    settings = {"group.id": "example-app", "enable.auto.commit": False}
    start = {"auto.offset.reset": "earliest", "bootstrap.servers": arguments.brokers}
    consumer = Consumer({**settings, **start})
    consumer.subscribe([TOPIC])
    counts = {"new": 0, "repeated": 0, "later": 0}
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < arguments.idle_seconds:
        if (message := consumer.poll(0.5)) is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        counts[store(database, message.value())] += 1
        consumer.commit(message, asynchronous=False)
        idle_since = time.monotonic()
    consumer.close()
    print(json.dumps(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
