"""The Dockerfiles, checked as far as possible without a container engine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.k8s.manifests import ROOT

DOCKERFILES = [ROOT / "Dockerfile", ROOT / "Dockerfile.cuda"]
each = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Each instruction with its arguments, without comments and line breaks."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (name, " ".join(rest.split()))
        for name, _, rest in (line.partition(" ") for line in joined.splitlines())
        if name
    ]


def of(dockerfile: Path, name: str) -> list[str]:
    return [rest for instruction, rest in instructions(dockerfile) if instruction == name]


@each
def test_only_known_instructions(dockerfile: Path) -> None:
    known = {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions(dockerfile)} <= known


@each
def test_base_images_are_pinned_to_a_supported_python(dockerfile: Path) -> None:
    bases = [rest.split()[0] for rest in of(dockerfile, "FROM")]

    assert len(bases) == 2, "one stage builds, the other runs"
    for base in bases:
        assert re.fullmatch(r"python:3\.1[12]\.\d+-slim-\w+", base)


@each
def test_the_final_stage_is_not_root_and_has_no_build_tools(dockerfile: Path) -> None:
    everything = instructions(dockerfile)
    last = max(n for n, (name, _) in enumerate(everything) if name == "FROM")
    final = everything[last + 1 :]

    assert ("USER", "10001:10001") in final
    assert [rest for name, rest in final if name == "COPY"] == [
        "--from=build /app/.venv /app/.venv"
    ]
    for name, rest in final:
        if name == "RUN":
            assert not re.search(r"apt-get|pip install|\buv\b|gcc", rest)
            assert "pip uninstall" in rest


@each
def test_copied_sources_exist_and_are_not_ignored(dockerfile: Path) -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    included = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    copied = {
        source.rstrip("/")
        for rest in of(dockerfile, "COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    }

    assert "*" in ignore
    assert copied == included
    for source in copied:
        assert (ROOT / source).exists()


@each
def test_every_package_of_the_wheel_is_copied(dockerfile: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])

    assert packages <= {rest.split()[-1].rstrip("/") for rest in of(dockerfile, "COPY")}


def test_the_cpu_torch_has_the_locked_version() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    versions = {package["name"]: package["version"] for package in locked}

    for name in ("torch", "torchvision"):
        assert f" {name}=={versions[name]}" in (ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def uv() -> str:
    ours = ROOT / ".tools" / "bin" / "uv"
    found = shutil.which("uv") or (str(ours) if ours.exists() else None)
    if found is None:
        pytest.skip("no uv: `make setup` installs one if there is none")
    return found


def run(uv: str, command: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run a uv command of a Dockerfile, with ``folder`` in place of the image's folders."""
    venv = folder / "venv"
    words = shlex.split(command.replace("/src/", f"{folder}/").replace("/app/.venv", str(venv)))
    return subprocess.run(
        [uv, *words[1:], *more],
        cwd=ROOT,
        env=os.environ | {"UV_PROJECT_ENVIRONMENT": str(venv), "VIRTUAL_ENV": str(venv)},
        capture_output=True,
        text=True,
        check=False,
    )


def uv_commands(dockerfile: Path) -> list[str]:
    return [rest for rest in of(dockerfile, "RUN") if rest.startswith("uv ")]


def test_the_cuda_image_installs_the_lock(uv: str, tmp_path: Path) -> None:
    commands = uv_commands(DOCKERFILES[1])

    assert len(commands) == 2
    for command in commands:
        done = run(uv, command, tmp_path, "--dry-run")
        assert done.returncode == 0, done.stderr
        assert "+ torch==" in done.stderr
        assert "+ pytest==" not in done.stderr, "no development dependencies"


def test_the_cpu_image_installs_the_lock_without_torch(uv: str, tmp_path: Path) -> None:
    venv, export, install, torch, project = uv_commands(DOCKERFILES[0])
    assert run(uv, venv, tmp_path).returncode == 0
    assert run(uv, export, tmp_path).returncode == 0
    requirements = (tmp_path / "requirements.txt").read_text()

    done = run(uv, install, tmp_path, "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "+ bytewax==" in done.stderr
    assert "+ pytest==" not in done.stderr, "no development dependencies"
    needed = [line for line in requirements.splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in needed if re.match("torch|nvidia|cuda|triton", line)]
    # The last two need an index of CPU builds and the image's file system, so they are not run.
    assert torch.startswith("uv pip install --no-deps --torch-backend cpu torch==")
    assert project == "uv pip install --no-deps /src"
