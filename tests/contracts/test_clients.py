"""The clients that are generated from the OpenAPI document compile, and so do their examples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/openapi.json"
PYTHON, TYPESCRIPT = ROOT / "clients/python", ROOT / "clients/typescript"
GENERATOR = ROOT / ".tools/bin/openapi-python-client"
MODULES = TYPESCRIPT / "node_modules"


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated package and the example."""
    if not GENERATOR.exists():
        pytest.skip("no openapi-python-client: `make contract-tools` installs it")
    folder = tmp_path_factory.mktemp("python")
    command = [str(GENERATOR), "generate", "--path", str(DOCUMENT), "--fail-on-warning"]
    command += ["--config", str(PYTHON / "config.yml"), "--output-path", str(folder / "generated")]
    # The generator formats with ruff, which is in our environment.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run(command, folder, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(PYTHON / "example.py", folder)
    return folder


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same."""
    if not (MODULES / ".bin/tsc").exists():
        pytest.skip("no TypeScript: `make contract-tools` installs it, if there is Node.js")
    folder = tmp_path_factory.mktemp("typescript") / "a" / "b"
    folder.mkdir(parents=True)
    for name in ("package.json", "tsconfig.json", "example.ts"):
        shutil.copy(TYPESCRIPT / name, folder)
    (folder / "node_modules").symlink_to(MODULES)
    (folder.parents[1] / "docs").symlink_to(ROOT / "docs")
    done = run(["npm", "run", "generate"], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def check_python(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    command += ["--config-file=", "--cache-dir", str(folder / "cache"), "example.py"]
    return run(command, folder, MYPYPATH=str(folder / "generated"))


def check_typescript(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(["npm", "run", "check"], folder)


def misspell(example: Path) -> None:
    text = example.read_text()
    assert ".look_id" in text
    example.write_text(text.replace(".look_id", ".lookid"))


def test_the_python_client_knows_the_fields(python: Path) -> None:
    done = check_python(python)
    assert done.returncode == 0, done.stdout
    misspell(python / "example.py")
    assert 'no attribute "lookid"' in check_python(python).stdout


def test_the_typescript_client_knows_the_fields(typescript: Path) -> None:
    done = check_typescript(typescript)
    assert done.returncode == 0, done.stdout
    misspell(typescript / "example.ts")
    assert "'lookid' does not exist" in check_typescript(typescript).stdout
