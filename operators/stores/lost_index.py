"""Stands for an index that was lost before the process started."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NoReturn

from operators.ports import Candidate, Filters, IndexedAttributes, Vector
from schemas.errors import IndexLost


class LostIndex:
    """A :class:`operators.ports.VectorStore` that raises the reason why there is no index.

    For online use, where a degraded answer is better than none.
    """

    def __init__(self, generation: str, why: IndexLost) -> None:
        self._generation = generation
        self._why = why

    @property
    def generation(self) -> str:
        return self._generation

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        self._fail()

    async def patch(self, key: str, attributes: IndexedAttributes) -> bool:
        self._fail()

    async def delete(self, key: str) -> None:
        self._fail()

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        self._fail()

    async def get(self, key: str) -> Candidate | None:
        self._fail()

    async def count(self) -> int:
        self._fail()

    async def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
        self._fail()
        yield

    async def close(self) -> None:
        """Nothing is open."""

    def _fail(self) -> NoReturn:
        raise IndexLost(str(self._why), reason=self._why.reason)
