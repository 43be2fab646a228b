"""``looksync product show``: why no look can be answered with a product."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from schemas.records import Record
from services.cli.products import show
from tests.flows.small_catalog import SmallCatalog

pytestmark = pytest.mark.slow


def test_each_product_says_what_prevents_it(catalog: SmallCatalog) -> None:
    red = [catalog.picture("red", "red")]
    catalog.send("found", 1, pictures=red)
    catalog.send("sold-out", 1, pictures=red, stock=0)
    catalog.send("no-picture", 1, pictures=[catalog.picture("absent")])
    catalog.send("outside", 1, pictures=["file:///etc/hostname"])
    catalog.send("new-picture", 1, pictures=red)
    catalog.send("new-picture", 2, pictures=[catalog.picture("absent")])
    catalog.send("game", 1, pictures=red, title="Gaming PC", category="Electronics > Computers")
    catalog.send("gone", 1, pictures=red)
    for kind, product_id in (("delete", "gone"), ("patch", "patched")):
        packet = {"vendor": "shop", "product_id": product_id, "kind": kind, "version": 3}
        value = json.dumps({**packet, "payload": {"stock": 3} if kind == "patch" else {}})
        key = f"shop:{product_id}"
        catalog.topic("catalog.updates").append([Record(key, value.encode())])
    assert catalog.run_once() == 0

    def output(product_id: str) -> tuple[int, str]:
        out = StringIO()
        console = Console(file=out, width=500)
        code = show(f"shop:{product_id}", catalog.settings, console)
        return code, out.getvalue().partition("{")[0]

    assert output("found") == (0, "shop:found: can be matched\n")
    code, said = output("new-picture")
    assert code == 0
    assert "can be matched\nmatched by its former picture; the new one is refused: not-" in said
    for product_id, reason in {
        "sold-out": "it cannot be ordered (available, stock)",
        "no-picture": "its picture is refused: not-found; tried 1 times",
        "outside": "its picture is refused: outside-roots; tried 1 times",
        "game": "not fashion, but ",
        "gone": "deleted",
        "patched": "only patches of it have come",
        "unknown": "the ledger has no such product",
    }.items():
        code, said = output(product_id)
        assert (code, said.startswith(f"shop:{product_id}: not matched: {reason}")) == (1, True), (
            product_id,
            said,
        )
