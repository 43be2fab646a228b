"""The examples for neighbouring systems work against the real system."""

from __future__ import annotations

import importlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from devservers.registry import ROOT
from sandbox.life import draw_world, write_feed_files
from tests.real.whole_system import deployment_on, real_servers

pytestmark = pytest.mark.services

EXAMPLES = ROOT / "examples"


def run(example: str, *arguments: str | Path) -> str:
    command = [sys.executable, EXAMPLES / example, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_feed_and_looks_become_products_in_an_app(tmp_path: Path) -> None:
    world = draw_world(tmp_path / "world", seed=61, products=400, looks=6)
    feeds = tmp_path / "feeds"
    write_feed_files(world, feeds)
    export = feeds / "kisetsu.jsonl"
    items = len(export.read_text(encoding="utf-8").splitlines())
    with real_servers(tmp_path) as servers:
        deployment = deployment_on(servers, tmp_path / "system", world)
        brokers = servers.kafka.brokers
        feed = (brokers, "kisetsu", export, "--id", "商品コード", "--seen", tmp_path / "seen.json")

        assert f"{items} packets sent" in run("vendor_feed.py", *feed)
        assert "0 packets sent" in run("vendor_feed.py", *feed)
        assert deployment.start("catalog", once=True).process.wait(300) == 0
        for _ in range(2):  # the second run repeats every look
            run("look_generator.py", brokers, world.look_pictures, "--market", "JP")
        assert deployment.start("looks", once=True).process.wait(300) == 0
        output = run("match_consumer.py", brokers, tmp_path / "app.sqlite", "--idle-seconds", "5")
        again = run("match_consumer.py", brokers, tmp_path / "app.sqlite", "--idle-seconds", "2")

        # A tenth of the items is removed from the vendor's export.
        left = export.read_text(encoding="utf-8").splitlines()[items // 10 :]
        export.write_text("\n".join(left), encoding="utf-8")
        assert f"{items // 10} packets sent" in run("vendor_feed.py", *feed)

    assert json.loads(output) == {"new": 6, "repeated": 0, "later": 0}
    assert json.loads(again) == {"new": 0, "repeated": 0, "later": 0}
    with sqlite3.connect(tmp_path / "app.sqlite") as app:
        (products,) = app.execute("SELECT COUNT(DISTINCT product) FROM products").fetchone()
    assert products > 0


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("match_consumer")


def test_the_app_stores_an_event_once_and_keeps_unknown_versions(
    consumer: ModuleType,
) -> None:
    app = sqlite3.connect(":memory:")
    app.executescript(consumer.TABLES)
    event = {"schema_version": 1, "event_id": "e1", "look_id": "l1", "layers": [], "new": "field"}

    first = consumer.store(app, json.dumps(event).encode())
    second = consumer.store(app, json.dumps(event).encode())
    newer = json.dumps({"schema_version": 2, "event_id": "e2"}).encode()
    third = consumer.store(app, newer)

    assert (first, second, third) == ("new", "repeated", "later")
    assert app.execute("SELECT event FROM later").fetchone() == (newer,)
