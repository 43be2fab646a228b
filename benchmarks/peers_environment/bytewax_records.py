"""Bytewax with its own Kafka connectors, one awaited call after the other, at least once.

python bytewax_records.py BROKERS SOURCE TARGET FOLDER RECORDS

It ends with the topic: RECORDS is for the peers that must know.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from report import raise_price, report

brokers, source, target, folder, _ = sys.argv[1:]
loop = asyncio.new_event_loop()


def raised(
    message: KafkaSourceMessage[bytes | None, bytes | None],
) -> KafkaSinkMessage[bytes | None, bytes | None]:
    value = loop.run_until_complete(raise_price(message.value or b""))
    return KafkaSinkMessage(message.key, value)


flow = Dataflow("records")
stream = kafka.input("in", flow, brokers=brokers.split(","), topics=[source], tail=False)
kafka.output("out", op.map("raise", stream.oks, raised), brokers=brokers.split(","), topic=target)
Path(folder).mkdir(parents=True)
init_db_dir(Path(folder), 1)
cli_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(folder))
report()
