"""The forms of ``encoder.model``, and the encoder's name in its fingerprint.

The name does not depend on where the weights are stored.
"""

from __future__ import annotations

import re
from pathlib import Path

from operators.models.encoder_table import ENCODERS

LOCAL = "local-dir:"
TRANSFORMERS = "transformers:"
VLLM = "vllm:"
"""A model on the server at ``encoder.url``."""
OPEN_CLIP_FILE = "open_clip_config.json"
"""Tells a folder in open_clip's format."""


def encoder_name(model: str) -> str:
    """The name of ``encoder.model``, in letters, digits and hyphens.

    A folder gives its own name, a model of the table its name there. Weights that
    `looksync models fetch` downloads into a folder of that name therefore keep their fingerprint.
    """
    if model.startswith(LOCAL):
        name = Path(model.removeprefix(LOCAL)).resolve().name
    else:
        name = next((row.name for row in ENCODERS if row.source == model), model)
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")
