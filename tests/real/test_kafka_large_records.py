"""Records of megabytes that wait for a slow part: memory is bounded in bytes, no disk is used."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from schemas.records import Record
from tests.flows.flow_process import Interruption
from tests.real.kafka_flows import PROCESSES, KafkaFlows, packet
from tests.real.real_servers import RealKafka

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

COUNT, MEGABYTES = 80, 5
MOST_GROWTH_MB = 250
"""Of memory: gate 64, read-ahead 16, the client's queue 16, and what one fetch brings; each record
is there as bytes and as a string while it is decoded."""


def large(version: int, blob: str) -> Record:
    record = packet("1", version)
    payload = {"picture": blob}
    return Record(record.key, json.dumps({**json.loads(record.value), "payload": payload}).encode())


def memory_mb(pid: int | None) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def test_waiting_records_are_bounded_in_bytes(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=1)
    flows.create()
    blob = random.Random(3).randbytes(MEGABYTES * 2**19).hex()  # no codec makes it smaller
    hangs = Interruption(at=1, ready=PROCESSES.Event())
    flow = flows.start("catalog", interruption=hangs)
    flows.topic("updates").append([packet("1", 0)])
    assert hangs.ready.wait(60)
    before = memory_mb(flow.pid)

    flows.topic("updates").append(large(n, blob) for n in range(1, COUNT))
    until, peak = time.monotonic() + 10, before
    while time.monotonic() < until:
        peak = max(peak, memory_mb(flow.pid))
        time.sleep(0.2)
    assert flow.is_alive()
    flow.kill()
    flow.join()

    assert 64 < peak - before < MOST_GROWTH_MB
    files = [path for path in (tmp_path / "recovery").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) == 0, "locks only"
    flows.finish("catalog")
    changes = [json.loads(record.value)["version"] for record in flows.read("changes")]
    assert changes == list(range(COUNT))
