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
