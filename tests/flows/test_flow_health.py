"""A flow's endpoints while it starts, works, waits for an unavailable service, and works again."""

from __future__ import annotations

from pathlib import Path

from schemas.records import Record
from schemas.settings import load_settings
from services.processes import free_port
from tests.flows.flow_process import topic
from tests.flows.in_process import packet
from tests.watched_flow import WatchedFlow


def test_the_endpoints_tell_the_truth_through_an_outage(tmp_path: Path) -> None:
    flow = WatchedFlow(
        load_settings(
            topics={"folder": tmp_path / "topics", "partitions": 2},
            stream={
                "recovery_folder": tmp_path / "recovery",
                "epoch_seconds": 0.1,
                "catalog": {"window": 8, "metrics_port": free_port()},
            },
        )
    )
    updates = topic(tmp_path, "catalog.updates")
    updates.append([Record("acme:1", packet("1"))])

    def outage() -> None:
        flow.wait_for_status("/readyz", 200)
        assert flow.status("/startupz") == 200

        flow.ledger_away.set()
        updates.append([Record(f"acme:{n}", packet(str(n))) for n in range(2, 5)])
        during = flow.wait_for_status("/readyz", 503)

        assert flow.status("/livez") == 200
        assert [part["part"] for part in during["away"]] == ["redis"]
        assert "connection refused" in during["away"][0]["why"]
        assert during["in_flight"] >= during["away"][0]["waiting"] >= 1

        flow.ledger_away.clear()
        after = flow.wait_for_status("/readyz", 200)

        assert after["away"] == []
        assert after["source_age"] < 30
        assert after["epoch_age"] < 30
        assert {lag["topic"] for lag in after["lag"]} == {"catalog.updates"}

    assert flow.run_while(outage) == 0
    assert flow.while_starting == [503, 200]
