"""The command line as users run it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENVIRONMENT = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}

HANGS_AFTER_SECONDS = 1000
"""Far longer than the slowest command takes on a busy machine; only ends one that hangs."""


def looksync(*arguments: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``looksync ARGUMENTS`` in ``cwd`` and wait for its exit."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **ENVIRONMENT, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_SECONDS,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class Demo:
    """A finished demo."""

    home: Path
    exit_code: int
    printed: str

    @property
    def folder(self) -> Path:
        return self.home / "run"

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return found

    def looksync(self, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """``looksync`` with the demo's settings."""
        return looksync("--config", self.folder / "looksync.toml", *arguments, cwd=self.home, **env)
