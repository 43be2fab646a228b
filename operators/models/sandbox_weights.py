"""Finds the sandbox's weights by the name ``sandbox``: the one place that knows where they are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from schemas.errors import Misconfigured

SANDBOX = "sandbox"
"""As ``encoder.model`` and ``vlm.model`` name it."""


def sandbox_weights(model: Literal["clip", "vlm"]) -> Path:
    """The folder of one of the sandbox's models. Raises Misconfigured when it is not installed."""
    # Looked up, not imported: the system does not depend on the world that its weights come from.
    package = find_spec("sandbox")
    if package is None or not package.submodule_search_locations:
        raise Misconfigured("the sandbox is not installed: name another model")
    return Path(next(iter(package.submodule_search_locations))) / "weights" / model


def encoder_source(model: str) -> str:
    """``model`` as the loaders take it: ``sandbox`` is the folder of the sandbox's encoder."""
    return f"local-dir:{sandbox_weights('clip')}" if model == SANDBOX else model
