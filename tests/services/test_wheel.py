"""The wheel contains what a user runs: it works when installed outside the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devservers.provision import OWN_UV
from operators.stores.redis.embedded_server import stop_left_over
from sandbox.life import draw_world
from tests.services.command_line import ENVIRONMENT, HANGS_AFTER_SECONDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in ``cwd`` without the repository on any path."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**env, **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_SECONDS,
    )


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that has the wheel and, of the repository's own, the locked dependencies."""

    wheel: Path
    bin: Path
    home: Path
    """An empty working directory."""

    def looksync(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return run(self.bin / "looksync", *arguments, cwd=self.home)


def build_wheel(folder: Path) -> Path:
    uv = shutil.which("uv") or (str(OWN_UV) if OWN_UV.exists() else None)
    if uv is None:
        pytest.skip("no uv: `make setup` installs one")
    build = [uv, "build", "--wheel", "--quiet", "--out-dir", str(folder)]
    # Offline first: the build backend is in uv's cache since it set up this environment.
    if run(*build, "--offline", cwd=ROOT).returncode:
        built = run(*build, cwd=ROOT)
        assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(folder / "dist")
    environment, home = folder / "venv", folder / "home"
    home.mkdir()
    made = run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=folder)
    assert made.returncode == 0, made.stderr
    (packages,) = environment.glob("lib/python*/site-packages")
    # As a path entry the folder's own .pth files, such as the editable install's, stay unread.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    uv = shutil.which("uv") or OWN_UV
    install = (uv, "pip", "install", "--quiet", "--offline", "--no-deps")
    done = run(*install, "--python", environment / "bin" / "python", wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    yield Installed(wheel, environment / "bin", home)
    stop_left_over(home / "var" / "valkey")


def test_training_and_development_servers_stay_out(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    rooms = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert rooms == {"dataflows", "evaluation", "operators", "sandbox", "schemas", "services"}
    assert not [name for name in names if name.startswith("sandbox/training/")]


@pytest.mark.parametrize(
    "path",
    [
        "evaluation/sandbox/gallery.html.j2",
        "operators/catalog/mappings/zari.toml",
        "operators/models/vlm/prompts/sandbox-1/describe.txt",
        "operators/vocabulary/taxonomy.toml",
        "sandbox/weights/clip/open_clip_model.safetensors",
        "sandbox/weights/vlm/chat_template.jinja",
        "sandbox/weights/vlm/model.safetensors",
    ],
)
def test_data_files_are_in_it(installed: Installed, path: str) -> None:
    assert path in zipfile.ZipFile(installed.wheel).namelist()


def test_code_comes_from_the_wheel(installed: Installed) -> None:
    where = run(
        installed.bin / "python",
        "-c",
        "import importlib.util, services; print(services.__path__[0]);"
        "print(importlib.util.find_spec('devservers'))",
        cwd=installed.home,
    )
    found, devservers = where.stdout.split()
    assert Path(found).is_relative_to(installed.bin.parent)
    assert devservers == "None"


def test_help_is_printed(installed: Installed) -> None:
    assert "doctor" in installed.looksync("--help").stdout


def test_doctor_passes_in_an_empty_folder(installed: Installed) -> None:
    ended = installed.looksync("doctor")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_look_is_matched_with_the_sandbox_weights(installed: Installed, tmp_path: Path) -> None:
    world = draw_world(tmp_path, seed=3, products=20, looks=1)
    picture = next(world.look_pictures.glob("*.jpg"))
    ended = installed.looksync("match", picture, "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    event = json.loads(ended.stdout)
    assert event["layers"]
    assert not event["degraded"]
