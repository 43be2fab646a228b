"""What is concluded about a collection from the answers of its server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import cast

import pytest

from operators.stores.weaviate.connection import REFUSED, WeaviateConnection
from operators.stores.weaviate.presence import CHECK_SECONDS, Presence
from operators.stores.weaviate.schema import Collection
from schemas.errors import LookSyncError, Misconfigured, Unavailable


class Refusing:
    """A connection whose every call fails with ``error``."""

    def __init__(self, error: LookSyncError) -> None:
        self.client = self
        self.collections = self
        self.calls = 0
        self._error = error

    async def call(self, _seconds: float, _request: Callable[[], Awaitable[object]]) -> object:
        self.calls += 1
        raise self._error


@pytest.mark.parametrize(
    "error",
    [Unavailable("no answer"), Misconfigured("rejected the key (403)", reason=REFUSED)],
)
async def test_a_refused_question_is_no_sign_of_a_lost_index(error: LookSyncError) -> None:
    connection = Refusing(error)
    seconds = count(0.0, 2 * CHECK_SECONDS)
    presence = Presence(
        cast(WeaviateConnection, connection),
        Collection(fingerprint="tiny", dimension=2, generation="g", model="m"),
        "Looks",
        clock=lambda: next(seconds),
    )
    await presence.require()
    await presence.require(suspicious=True)
    assert connection.calls == 2
