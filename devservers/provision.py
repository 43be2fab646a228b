"""Download and build the servers; errors name what is missing and why."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.errors import Unavailable

BUILD_SECONDS = 1800.0
"""Building Weaviate from source takes four minutes on two cores."""

OWN_UV = Path(__file__).parents[1] / ".tools" / "bin" / "uv"
"""Where the Makefile installs one when the machine has none."""


def tool(name: str, purpose: str) -> str:
    """The path of the program ``name``. Raises Unavailable, which says what it is needed for."""
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"no {name} on the PATH, which {purpose}", reason="no-tool")
    return path


def run_once(stamp: Path, recipe: str, command: Sequence[str], env: Mapping[str, str]) -> None:
    """Run ``command`` unless it has succeeded for the same ``recipe``, as noted in ``stamp``.

    Raises Unavailable with the end of its output.
    """
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            timeout=BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"{command[0]} took longer than {BUILD_SECONDS:g} s", reason="provision"
        ) from None
    if done.returncode:
        tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-15:])
        raise Unavailable(f"{' '.join(command)} failed:\n{tail}", reason="provision")
    stamp.write_text(digest)


def locked_environment(project: Path, folder: Path) -> Path:
    """Install the locked ``project`` into an environment in ``folder``; its Python.

    Raises Unavailable.
    """
    uv = str(OWN_UV) if OWN_UV.exists() else tool("uv", f"sets up {project.name}")
    venv = (folder / "venv").resolve()
    command = [uv, "sync", "--locked", "--quiet", "--project", str(project)]
    env = {"UV_PROJECT_ENVIRONMENT": str(venv), "VIRTUAL_ENV": ""}
    run_once(folder / "stamp", (project / "uv.lock").read_text(encoding="utf-8"), command, env)
    return venv / "bin" / "python"
