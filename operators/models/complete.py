"""Loads models in transformers' format, and their processors, or says why they cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

from schemas.errors import Misconfigured


def load_model(kind: Any, source: str, advice: str = "") -> Any:
    """Call ``kind.from_pretrained``. Raises Misconfigured if it fails or weights are missing.

    ``advice``: ends the sentence of the error that says what to name.
    """
    with _explained(kind, source, advice):
        model, found = kind.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
    # The library initialises missing weights randomly.
    if missing := sorted(found["missing_keys"]):
        raise Misconfigured(
            f"the weights in {source} lack {len(missing)} tensors of {type(model).__name__}, such "
            f"as {missing[0]}: fetch them again"
        )
    return model


def load_processor(kind: Any, source: str, advice: str = "") -> Any:
    """Call ``kind.from_pretrained``. Raises Misconfigured if it fails."""
    with _explained(kind, source, advice):
        return kind.from_pretrained(source)


@contextmanager
def _explained(kind: Any, source: str, advice: str) -> Iterator[None]:
    # It would be drawn into the output of a command.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    except Exception as error:
        # The libraries raise anything from KeyError to HTTP errors here; the cause is the same.
        raise Misconfigured(
            f"{kind.__name__} cannot be loaded from {source}: {error}. Name a folder in "
            f"transformers' format{advice}."
        ) from error
