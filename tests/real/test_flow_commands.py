"""`looksync flow` on Kafka: records are skipped, and handled again since a time."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from operators.streaming.dead_letters import read_letters
from schemas.errors import Misconfigured
from services.cli import flows as commands
from tests.real.kafka_flows import KafkaFlows, packet
from tests.real.real_servers import RealKafka

pytestmark = pytest.mark.services


def versions(flows: KafkaFlows) -> list[int]:
    return sorted(json.loads(record.value)["version"] for record in flows.read("changes"))


def test_positions_are_moved_while_the_flow_is_stopped(
    kafka: RealKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the embedded Redis of these settings
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=1)
    flows.create()
    settings, out = flows.settings(), StringIO()
    console = Console(file=out, width=500)
    flows.topic("updates").append(packet("p", version) for version in range(3))

    commands.skip_record("catalog", "0/1", settings, console)
    flows.finish("catalog")
    assert versions(flows) == [0, 2]
    (letter,) = read_letters(flows.topic("updates.dlq"))
    assert (letter.letter.reason, letter.letter.offset) == ("skipped", 1)

    time.sleep(0.01)  # Kafka's times are milliseconds
    between = datetime.now(UTC)
    time.sleep(0.01)
    flows.topic("updates").append(packet("p", version) for version in (3, 4))
    flows.finish("catalog")
    commands.rewind_to("catalog", between, settings, console)
    flows.finish("catalog")
    assert versions(flows) == [0, 2, 3, 3, 4, 4]
    assert "2 records are handled again once catalog runs" in out.getvalue()

    assert commands.status(settings, console) == 0
    assert f"{flows.prefix}.catalog: no process runs, 0 records" in out.getvalue()

    running = flows.start("catalog")
    while "1 processes" not in out.getvalue():
        commands.status(settings, console)
    with pytest.raises(Misconfigured, match="a process of the flow is running: stop it first"):
        commands.rewind_to("catalog", between, settings, console)
    running.terminate()
    running.join(60)
