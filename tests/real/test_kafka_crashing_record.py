"""A record that crashes each process that handles it, on Kafka: a letter after seven deaths."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from operators.streaming.dead_letters import read_letters
from operators.streaming.engine.call_policy import DEATHS, TRIALS
from tests.real.kafka_flows import KafkaFlows, packet
from tests.real.real_servers import RealKafka

pytestmark = pytest.mark.services

PACKETS = 400
CRASHING = 133


def test_a_crashing_packet_becomes_a_letter_and_holds_up_no_other(
    kafka: RealKafka, tmp_path: Path
) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=3)
    flows.create()
    flows.topic("updates").append(
        packet(str(number), 1, crash=number == CRASHING) for number in range(PACKETS)
    )
    exits: list[int | None] = []
    while 0 not in exits and len(exits) < 10:
        process = flows.start("catalog", once=True)
        process.join(180)
        exits.append(process.exitcode)
    assert exits == [-signal.SIGSEGV] * (DEATHS + TRIALS) + [0]

    found = [json.loads(record.value)["key"] for record in flows.read("changes")]
    assert sorted(found) == sorted(f"acme:{n}" for n in range(PACKETS) if n != CRASHING)
    (stored,) = read_letters(flows.topic("updates.dlq"))
    assert (stored.letter.reason, stored.letter.attempts) == ("killed-process", DEATHS + TRIALS)
