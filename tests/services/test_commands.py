"""Commands that need no demo, and their error messages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import jsonschema
import pytest

from operators.streaming.files.topic import FileTopic
from schemas.catalog import Packet
from services.processes import free_port
from tests.services.command_line import looksync

TIMEOUT_SECONDS = 240.0
"""Only keeps a hanging test from waiting for ever."""

CSV = (
    "sku,style_code,item_name,dept_path,rang,design,naap,mrp,daam,stock_qty,photo,brand\n"
    "A1,A,Laal Tshirt,Mahila > Tshirt,laal,plain,M,Rs. 999,Rs. 899.00,4,file:///tmp/a.jpg,Rua\n"
    "A2,A,Laal Tshirt,Mahila > Tshirt,laal,plain,L,Rs. 999,muft,4,file:///tmp/a.jpg,Rua\n"
)


def test_help_names_every_command(tmp_path: Path) -> None:
    output = looksync("--help", cwd=tmp_path).stdout
    for command in (
        "demo",
        "shop",
        "up",
        "run",
        "ingest",
        "match",
        "dlq",
        "jobs",
        "schema",
        "eval",
    ):
        assert command in output


def test_ingest_sends_good_rows_and_names_the_bad_ones(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text(CSV)
    ended = looksync("ingest", "shop.csv", "--vendor", "zari", cwd=tmp_path)
    assert ended.returncode == 1, "half of the rows were refused"
    assert "50.0% of the rows were refused, more than --max-refused = 5.0%" in ended.stderr
    assert "sent to catalog.updates │ 1" in ended.stdout
    assert "line 3: invalid-price" in ended.stdout
    topic = FileTopic(tmp_path / "var" / "topics", "catalog.updates")
    sent = [record for p in range(topic.partitions) for record in topic.read(p)]
    assert [record.key for record in sent] == ["zari:A1"]
    assert Packet.model_validate_json(sent[0].value).payload["daam"] == "Rs. 899.00"


@pytest.mark.parametrize(
    ("file", "vendor", "output"),
    [
        ("gone.csv", "zari", "gone.csv"),
        ("shop.pdf", "zari", "its name does not show its format"),
        ("shop.csv", "nobody", "there is no mapping 'nobody'"),
        ("shop.csv", "gone.toml", "gone.toml"),
    ],
)
def test_ingest_errors_are_explained(tmp_path: Path, file: str, vendor: str, output: str) -> None:
    (tmp_path / "shop.csv").write_text(CSV)
    (tmp_path / "shop.pdf").write_text("%PDF")
    ended = looksync("ingest", file, "--vendor", vendor, cwd=tmp_path)
    assert ended.returncode != 0
    assert output in ended.stderr
    assert "Traceback" not in ended.stderr


def test_exported_schemas_are_valid_json_schema(tmp_path: Path) -> None:
    assert looksync("schema", "export", "out", cwd=tmp_path).returncode == 0
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files][:2] == [
        "catalog.changes.v1.json",
        "catalog.updates.v1.json",
    ]
    for file in files:
        jsonschema.Draft202012Validator.check_schema(json.loads(file.read_text()))


@pytest.mark.parametrize(
    ("toml", "env", "output"),
    [
        ("[index]\nkynd = 1", {}, "index.kynd"),
        ("[index\n", {}, "looksync.toml"),
        ("", {"LOOKSYNC_STREAM__LOOKS__WINDOW": "none"}, "stream.looks.window"),
        ("", {"LOOKSYNC_PRESET": "cloud"}, "cloud"),
        ("", {"LOOKSYNC_CONFIG": "elsewhere.toml"}, "elsewhere.toml"),
    ],
)
def test_invalid_settings_are_named(
    tmp_path: Path, toml: str, env: dict[str, str], output: str
) -> None:
    (tmp_path / "looksync.toml").write_text(toml)
    ended = looksync("doctor", cwd=tmp_path, **env)
    assert ended.returncode == 2
    assert output in ended.stderr
    assert "Traceback" not in ended.stderr


def test_doctor_passes_with_the_embedded_preset(tmp_path: Path) -> None:
    ended = looksync("doctor", cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert "catalog.updates: does not exist yet" in ended.stdout


def test_doctor_reports_each_failure_of_the_production_preset(tmp_path: Path) -> None:
    ended = looksync("doctor", cwd=tmp_path, LOOKSYNC_PRESET="production", HF_HUB_OFFLINE="1")
    assert ended.returncode == 1
    assert "topics.brokers" in ended.stdout
    assert "encoder.model" in ended.stdout
    assert "unavailable" in ended.stdout
    assert "thumbnails │ ok" in ended.stdout, "probed although others failed"
    assert "Traceback" not in ended.stderr


def test_demo_does_not_empty_a_folder_that_is_not_a_demo(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    ended = looksync("demo", "--folder", "mine", cwd=tmp_path)
    assert ended.returncode == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_up_runs_the_flows_and_the_api_and_ctrl_c_stops_everything(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", "up"],
        cwd=tmp_path,
        env={**os.environ, "LOOKSYNC_API__PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as stack:
        logs = [tmp_path / "var" / "logs" / f"{flow}.log" for flow in ("catalog", "looks")]
        wait_until(lambda: all(log.exists() and "flow started" in log.read_text() for log in logs))
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        second = looksync("up", cwd=tmp_path, LOOKSYNC_API__PORT=str(port))
        assert second.returncode == 2
        assert "running" not in second.stdout
        stack.send_signal(signal.SIGINT)
        printed, _ = stack.communicate(timeout=TIMEOUT_SECONDS)
    assert stack.returncode == 0, printed
    assert "catalog flow exit 0, looks flow exit 0, shop and API exit 0" in printed
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in listed.stdout


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {TIMEOUT_SECONDS:g} s"
        time.sleep(0.2)
