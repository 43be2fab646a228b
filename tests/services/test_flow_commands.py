"""`looksync flow`: pause and resume flows, and move their positions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli import flows
from services.cli.console import console
from tests.flows.small_catalog import SmallCatalog
from tests.services.command_line import looksync


def test_a_flow_is_paused_and_resumed(tmp_path: Path) -> None:
    def flow(*arguments: str) -> tuple[int, str]:
        done = looksync("flow", *arguments, cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    code, printed = flow("pause", "catalog", "--reason", "Weaviate moves")
    assert (code, "until `looksync flow resume catalog`" in printed) == (0, True)
    code, printed = flow("status")
    assert code == 0
    assert "catalog: paused: Weaviate moves" in printed
    assert "looks: paused" not in printed
    assert flow("resume", "catalog") == (0, "catalog: resumed\n")
    assert flow("resume", "catalog") == (1, "catalog: was not paused\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("skip", "catalog", "0/17"), "stop the flow and delete var/recovery/catalog"),
        (("rewind", "looks", "--to", "2026-11-26"), "stop the flow and delete var/recovery/looks"),
        (("skip", "catalog", "17"), "give partition/offset, e.g. 0/17"),
        (("rewind", "catalog"), "give either --to or --key"),
        (("rewind", "catalog", "--to", "noon"), "--to noon: not a time"),
    ],
)
def test_wrong_use_is_explained(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = looksync("flow", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(topics={"folder": tmp_path / "topics"})


def test_a_products_records_since_its_newest_upsert_are_put_on_the_topic_again(
    tmp_path: Path, settings: Settings
) -> None:
    catalog = SmallCatalog(tmp_path)
    updates = catalog.topic("catalog.updates")
    for version in (1, 2):
        catalog.send("1", version)
        catalog.send("2", version)
    patch = {"vendor": "shop", "product_id": "1", "kind": "patch", "version": 3, "payload": {}}
    updates.append([Record("shop:1", json.dumps(patch).encode()), Record("shop:1", b"{")])
    before = sum(1 for p in range(updates.partitions) for _ in updates.read(p))

    assert flows.repeat_key("catalog", "shop:1", settings, console) == 0

    added = [
        record
        for p in range(updates.partitions)
        for record in updates.read(p)
        if record.key == "shop:1"
    ][4:]
    kinds = [json.loads(record.value).get("kind") for record in added if record.value != b"{"]
    versions = [json.loads(record.value).get("version") for record in added if record.value != b"{"]
    assert (kinds, versions) == (["forget-version", "upsert", "patch"], [0, 2, 3])
    assert sum(1 for p in range(updates.partitions) for _ in updates.read(p)) == before + 4
    assert flows.repeat_key("catalog", "shop:3", settings, console) == 1


def test_the_newest_record_of_a_look_is_put_on_the_topic_again(
    tmp_path: Path, settings: Settings
) -> None:
    looks = SmallCatalog(tmp_path).topic("looks.generated")
    (first, second) = looks.append([Record("l1", b"old"), Record("l1", b"new")])
    assert flows.repeat_key("looks", "l1", settings, console) == 0
    records = [record for p in range(looks.partitions) for record in looks.read(p)]
    assert [record.value for record in records] == [b"old", b"new", b"new"]
    assert first != second
    assert records[-1].headers == {"replay-of": str(second), "replay-origin": str(second)}
