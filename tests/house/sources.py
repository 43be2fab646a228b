"""The project's Python files, parsed."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = ("dataflows", "evaluation", "operators", "sandbox", "schemas", "services")
ALL = (*SHIPPED, "benchmarks", "devservers", "examples", "k8s", "tests")


def files(*folders: str) -> list[str]:
    """Paths below ``folders``, relative to the repository."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


@cache
def parse(path: str) -> ast.Module:
    return ast.parse(read(path), path)


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
