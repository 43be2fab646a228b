"""Finds the sandbox's weights by name; no other module knows their path."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from schemas.errors import Misconfigured

SANDBOX_ENCODER = "sandbox-clip"
"""Its name in ``encoder.model``."""
SANDBOX_VLM = "sandbox-vlm"
"""Its name in ``vlm.model``."""
SANDBOX_PARSER = "sandbox-parser"
"""Its name in ``parser.model``."""


def sandbox_weights(model: Literal["clip", "vlm", "parser"]) -> Path:
    """The folder of one of the sandbox's models. Raises Misconfigured if it is not installed."""
    # find_spec instead of an import: the system must not depend on the sandbox's code.
    package = find_spec("sandbox")
    if package is None or not package.submodule_search_locations:
        raise Misconfigured("the sandbox is not installed; configure another model")
    return Path(next(iter(package.submodule_search_locations))) / "weights" / model
