"""A refresh that the running flow publishes is applied, and a restart loses none."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.small_catalog import SmallCatalog

pytestmark = pytest.mark.slow


def wait_for(catalog: SmallCatalog, decisions: list[tuple[str, str]]) -> None:
    until = time.monotonic() + 120
    while catalog.decisions() != decisions:
        assert time.monotonic() < until, catalog.decisions()
        time.sleep(0.05)


def test_a_pending_picture_is_fetched_when_it_is_due(catalog: SmallCatalog) -> None:
    url = catalog.picture("late")
    catalog.send("1", 1, pictures=[url])
    catalog.send("2", 1, pictures=[url])
    assert catalog.run_once() == 0
    pending = [("shop:1", "pending"), ("shop:2", "pending")]
    assert catalog.decisions() == pending
    now = datetime.now(UTC)
    assert catalog.due(now) == [], "nothing is due yet"
    assert catalog.due(now + timedelta(days=2)) == ["shop:1", "shop:2"], "after a restart"

    catalog.picture("late", "red")
    catalog.set_due("shop:1", now - timedelta(seconds=1))
    catalog.set_due("shop:2", now + timedelta(days=1))
    flow = catalog.start_flow()
    wait_for(catalog, sorted([*pending, ("shop:1", "created")]))
    flow.kill()  # what is due later is not lost with the process
    flow.join()
    catalog.set_due("shop:2", now - timedelta(seconds=1))
    flow = catalog.start_flow()
    wait_for(catalog, sorted([*pending, ("shop:1", "created"), ("shop:2", "created")]))
    flow.terminate()
    flow.join(60)
    assert flow.exitcode == 0
    assert all(entry.indexed for entry in catalog.entries().values())
    assert catalog.due(now + timedelta(days=365)) == []
