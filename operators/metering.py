"""Measures requests to a part: how long they take, and whether they fail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Meter = Callable[[], AbstractContextManager[None]]
"""Opens the context of one request."""


def unmetered() -> AbstractContextManager[None]:
    """The context of a request that is not measured."""
    return nullcontext()
