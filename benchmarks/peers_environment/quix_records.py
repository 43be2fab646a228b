"""Quix Streams, one awaited call after the other, exactly once.

python quix_records.py BROKERS SOURCE TARGET FOLDER RECORDS
"""

import asyncio
import sys

from quixstreams import Application
from report import raise_price, report

brokers, source, target, folder, records = sys.argv[1:]
loop = asyncio.new_event_loop()
app = Application(
    broker_address=brokers,
    consumer_group=target,
    auto_offset_reset="earliest",
    processing_guarantee="exactly-once",
    commit_interval=1.0,
    state_dir=folder,
    auto_create_topics=False,
    loglevel="WARNING",
)
stream = app.dataframe(app.topic(source, value_deserializer="bytes", key_deserializer="bytes"))
stream = stream.apply(lambda value: loop.run_until_complete(raise_price(value)))
stream.to_topic(app.topic(target, value_serializer="bytes", key_serializer="bytes"))
app.run(count=int(records))
report()
