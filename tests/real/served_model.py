"""What the service tests ask: a model server, and the weights it serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "sandbox" / "weights" / "vlm"


@dataclass(frozen=True, slots=True)
class ServedModel:
    """URL up to and including the version, and what the server calls its model."""

    url: str
    name: str
