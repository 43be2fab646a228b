"""Folders in transformers' format, checked without importing transformers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import safe_open


def read_config(folder: Path) -> dict[str, Any]:
    """The model's configuration. Raises OSError or ValueError."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    return config


def name_and_hash(folder: Path) -> str:
    """Identifies the weights. Raises OSError or SafetensorError unless there are whole ones."""
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise FileNotFoundError(f"no *.safetensors in {folder}")
    digest = hashlib.sha256()
    for path in weights:
        with safe_open(path, "pt"):  # reads the header and compares it with the file's length
            pass
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder.name}@{digest.hexdigest()[:12]}"
