"""`looksync models`: the table, and downloads from a local double of the hub."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.models.encoder_table import ENCODERS
from tests.models.hub_double import REVISION, HubDouble, hub_double
from tests.models.tiny_checkpoints import write_checkpoint
from tests.services.command_line import HANGS_AFTER_SECONDS

ROW = "fashion-clip"
REPOSITORY = "patrickjohncyh/fashion-clip"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_checkpoint(ROW, tmp_path_factory.mktemp("hub") / ROW)
    (folder / "README.md").write_text("a model card")
    (folder / "pytorch_model.bin").write_bytes(b"the same weights as a pickle")
    return folder


@pytest.fixture
def hub(checkpoint: Path) -> Iterator[HubDouble]:
    with hub_double({REPOSITORY: checkpoint}) as hub:
        yield hub


def looksync(*arguments: str, endpoint: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run in a new process: huggingface_hub reads HF_ENDPOINT when it is imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "hf-home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "COLUMNS": "300",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "models", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_SECONDS,
        check=False,
    )


def fetch(hub: HubDouble, folder: Path) -> subprocess.CompletedProcess[str]:
    return looksync("fetch", ROW, "--folder", str(folder / ROW), endpoint=hub.url, folder=folder)


@pytest.mark.slow
def test_a_fetched_model_is_verified_and_loads(
    hub: HubDouble, checkpoint: Path, tmp_path: Path
) -> None:
    done = fetch(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert REVISION in done.stdout
    assert re.search(rf"{ROW}-[0-9a-f]{{12}} loads", done.stdout)
    fetched = {path.name for path in (tmp_path / ROW).iterdir() if path.is_file()}
    assert "pytorch_model.bin" not in fetched  # safetensors is there
    assert "README.md" not in fetched
    for name in fetched:
        assert (tmp_path / ROW / name).read_bytes() == (checkpoint / name).read_bytes()

    weights = tmp_path / ROW / "model.safetensors"
    written = weights.stat()
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
    os.utime(weights, ns=(written.st_atime_ns, written.st_mtime_ns))  # like a bad disk
    before = list(hub.downloads)
    damaged = fetch(hub, tmp_path)
    assert hub.downloads == before, "existing files are not downloaded again"
    assert damaged.returncode == 2
    assert "model.safetensors differs from the hub" in damaged.stderr


@pytest.mark.slow
def test_a_file_that_arrives_garbled_is_refused(hub: HubDouble, tmp_path: Path) -> None:
    hub.garbled.add("preprocessor_config.json")
    done = fetch(hub, tmp_path)
    assert done.returncode == 2
    assert "preprocessor_config.json differs from the hub" in done.stderr


@pytest.mark.slow
def test_an_unreachable_hub_is_explained(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused
        endpoint = f"http://127.0.0.1:{held.getsockname()[1]}"
        done = looksync("fetch", ROW, endpoint=endpoint, folder=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert endpoint in done.stderr
    assert "machine that reaches the hub" in done.stderr


@pytest.mark.slow
def test_a_missing_repository_is_reported(hub: HubDouble, tmp_path: Path) -> None:
    done = looksync(
        "fetch", "dinov2-large", "--folder", str(tmp_path / "x"), endpoint=hub.url, folder=tmp_path
    )
    assert done.returncode == 2
    assert "has no facebook/dinov2-large" in done.stderr


@pytest.mark.slow
def test_the_list_shows_every_row(tmp_path: Path) -> None:
    done = looksync("list", endpoint="http://127.0.0.1:1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for row in ENCODERS:
        assert row.name in done.stdout
    unknown = looksync("fetch", "resnet", endpoint="http://127.0.0.1:1", folder=tmp_path)
    assert unknown.returncode == 2
    assert "known are" in unknown.stderr
