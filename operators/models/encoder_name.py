"""What an encoder is called in its fingerprint, wherever its weights lie."""

from __future__ import annotations

import re
from pathlib import Path

from operators.models.encoder_table import ENCODERS

LOCAL = "local-dir:"


def encoder_name(model: str) -> str:
    """Letters, digits and hyphens, for ``model`` as in EncoderSettings.

    A folder gives its own name, and a model of the table its name there: weights that
    `looksync models fetch` has put into a folder of that name keep the fingerprint.
    """
    if model.startswith(LOCAL):
        name = Path(model.removeprefix(LOCAL)).resolve().name
    else:
        name = next((row.name for row in ENCODERS if row.source == model), model)
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")
