"""Finds the sandbox's weights by name: the one place that knows where they are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from schemas.errors import Misconfigured

SANDBOX_ENCODER = "sandbox-clip"
"""As ``encoder.model`` names it."""
SANDBOX_VLM = "sandbox-vlm"
"""As ``vlm.model`` names it."""


def sandbox_weights(model: Literal["clip", "vlm"]) -> Path:
    """The folder of one of the sandbox's models. Raises Misconfigured when it is not installed."""
    # Looked up, not imported: the system does not depend on the world that its weights come from.
    package = find_spec("sandbox")
    if package is None or not package.submodule_search_locations:
        raise Misconfigured("the sandbox is not installed: name another model")
    return Path(next(iter(package.submodule_search_locations))) / "weights" / model
