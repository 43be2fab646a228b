"""Versions that are wrong, through the running flow: none blocks a product for ever."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from operators.streaming.dead_letters import read_letters
from schemas.errors import Misconfigured
from schemas.records import Record
from services.cli.products import forget_version
from tests.catalog.small_shop import item
from tests.flows.small_catalog import SmallCatalog

pytestmark = pytest.mark.slow


def send(catalog: SmallCatalog, version: int | str, price: str) -> None:
    """An upsert of shop:1."""
    payload = item(pictures=[catalog.picture("red", "red")], price=price)
    packet: dict[str, Any] = {"vendor": "shop", "product_id": "1", "kind": "upsert"}
    value = json.dumps({**packet, "version": version, "payload": payload}).encode()
    catalog.topic("catalog.updates").append([Record("shop:1", value)])


def price(catalog: SmallCatalog) -> int:
    found = catalog.entries()["shop:1"].update.price
    assert found is not None
    return found.amount_minor


def test_a_time_in_the_future_is_a_dead_letter_and_later_packets_are_applied(
    catalog: SmallCatalog,
) -> None:
    now = datetime.now(UTC)
    for version in ("2099-01-01T00:00:00Z", (now + timedelta(days=2)).isoformat(), 2**63 - 1):
        send(catalog, version, "Rs. 1")
    send(catalog, (now + timedelta(hours=14)).isoformat(), "Rs. 2")
    send(catalog, (now + timedelta(hours=15)).isoformat(), "Rs. 3")
    assert catalog.run_once() == 0
    letters = list(read_letters(catalog.topic("catalog.updates.dlq")))
    assert [stored.letter.reason for stored in letters] == ["future-version"] * 3
    assert "2099-01-01" in letters[0].letter.message
    assert price(catalog) == 300


def test_a_counter_that_was_reset_is_forgotten_by_command(catalog: SmallCatalog) -> None:
    send(catalog, 10**15, "Rs. 1")
    send(catalog, 7, "Rs. 2")
    assert catalog.run_once() == 0
    assert price(catalog) == 100, "7 is older than 10^15"

    output = StringIO()
    assert forget_version("shop:1", catalog.settings, Console(file=output, width=500)) == 0
    assert "shop:1 is at version 1000000000000000 now. Sent to catalog.updates" in output.getvalue()
    send(catalog, 8, "Rs. 3")
    assert catalog.run_once() == 0
    assert price(catalog) == 300
    assert catalog.entries()["shop:1"].version == 8


def test_the_versions_to_forget_are_printed(catalog: SmallCatalog) -> None:
    output = StringIO()
    assert forget_version("shop:9", catalog.settings, Console(file=output, width=500)) == 1
    assert output.getvalue() == "shop:9: the ledger has no such product: nothing was sent\n"
    for key in ("shop", "Shop!:1", "shop:"):
        with pytest.raises(Misconfigured, match="vendor:product_id"):
            forget_version(key, catalog.settings, Console(file=output))
