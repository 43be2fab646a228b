"""Notices when a collection is gone, or replaced by another of its name, while it is in use."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from operators.stores.weaviate.connection import REFUSED, WeaviateConnection
from operators.stores.weaviate.schema import (
    REBUILD,
    Collection,
    collection_name,
    find_collection,
)
from schemas.errors import IndexLost, Misconfigured, Unavailable

log = structlog.get_logger()

CHECK_SECONDS = 5.0
"""Two requests of a few milliseconds; without errors, so long may a loss go unnoticed."""
SUSPICIOUS_SECONDS = 0.5
"""After an error or an empty answer, which may be the sign of a loss or mean nothing."""


class Presence:
    """Whether the collection that was opened is still there."""

    def __init__(
        self,
        connection: WeaviateConnection,
        collection: Collection,
        alias: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._generation = collection.generation
        self._name = collection_name(alias, collection.fingerprint)
        self._clock = clock
        self._checked = clock()
        self._problem: str | None = None

    async def require(self, *, suspicious: bool = False) -> None:
        """Raise IndexLost when the collection is gone or another, as checked seconds ago at most.

        A server that is unreachable or rejects the key says nothing about it.
        """
        now = self._clock()
        if now - self._checked >= (SUSPICIOUS_SECONDS if suspicious else CHECK_SECONDS):
            self._checked = now
            before, self._problem = self._problem, await self._find_problem()
            if self._problem is not None and before is None:
                log.error("the index is lost", problem=self._problem)
        if self._problem is not None:
            raise IndexLost(f"weaviate: {self._problem}; {REBUILD}", reason="index-lost")

    async def _find_problem(self) -> str | None:
        try:
            found = await find_collection(self._connection, self._name)
        except (Unavailable, Misconfigured) as error:
            unknown = isinstance(error, Unavailable) or error.reason == REFUSED
            return self._problem if unknown else str(error)
        if found is None:
            return f"the collection {self._name} was deleted while it was in use"
        if found.generation != self._generation:
            return (
                f"the collection {self._name} was replaced ({found.generation} instead of "
                f"{self._generation}) while it was in use"
            )
        return None
