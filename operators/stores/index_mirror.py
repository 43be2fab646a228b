"""Mirrors the catalog flow's writes to a secondary index while the model is switched.

The flow polls for a secondary collection, loads its encoder, writes to both indexes from then on,
and acknowledges it: the switch waits for these acknowledgements.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from PIL.Image import Image

from operators.concurrency import running
from operators.ports import ImageTextEncoder, IndexedAttributes, VectorStore
from operators.stores.redis.mirrors import MirrorAcknowledgements
from schemas.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from operators.stores.weaviate.schema import Collection

log = structlog.get_logger()

POLL_INTERVAL_SECONDS = 2.0
"""Between two reads of the aliases; an acknowledgement is valid for several polls."""


@dataclass(slots=True, eq=False)
class SecondaryIndex:
    """A secondary collection, open for writing."""

    collection: Collection
    encoder: ImageTextEncoder
    index: VectorStore
    resources: AsyncExitStack
    """Closes the encoder, the index and their clients."""
    writes_in_flight: int = field(default=0, init=False)

    @contextmanager
    def write(self) -> Iterator[None]:
        """Keep the index open for the duration of one write."""
        self.writes_in_flight += 1
        try:
            yield
        finally:
            self.writes_in_flight -= 1


class SecondaryIndexMirror:
    """A :class:`operators.ports.Mirror` of the secondary collection, whichever it is now."""

    def __init__(
        self,
        find: Callable[[], Awaitable[Collection | None]],
        open_collection: Callable[[Collection], Awaitable[SecondaryIndex]],
        acknowledgements: MirrorAcknowledgements,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``find`` returns the secondary collection, ``open_collection`` opens it; both may raise
        Unavailable or Misconfigured. ``sleep`` waits between two polls."""
        self._find = find
        self._open = open_collection
        self._acknowledgements = acknowledgements
        self._sleep = sleep
        self._process = uuid.uuid4().hex
        self._secondary: SecondaryIndex | None = None
        self._retired: list[SecondaryIndex] = []
        self._rejected_generation: str | None = None
        """Its model could not be loaded; it is not tried again at every poll."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[SecondaryIndexMirror]:
        """Poll in the background while the context is open.

        The first poll completes before the context is entered, so that a flow that starts in the
        middle of a switch never writes to its own index alone.
        """
        await self._poll()
        try:
            async with running(self._poll_forever()):
                yield self
        finally:
            for secondary in (*self._retired, *([self._secondary] if self._secondary else [])):
                await secondary.resources.aclose()

    @property
    def fingerprint(self) -> str | None:
        return None if self._secondary is None else self._secondary.collection.fingerprint

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        if (secondary := self._secondary) is not None:
            with secondary.write():
                vector = await secondary.encoder.encode_image(image)
                await secondary.index.upsert(key, vector, attributes)

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        if (secondary := self._secondary) is not None:
            with secondary.write():
                await secondary.index.patch(key, attributes)

    async def delete(self, key: str) -> None:
        if (secondary := self._secondary) is not None:
            with secondary.write():
                await secondary.index.delete(key)

    async def _poll_forever(self) -> None:
        while True:
            await self._sleep(POLL_INTERVAL_SECONDS)
            try:
                await self._poll()
            except Unavailable as error:
                # The mirror stays active; writes fail on the same outage and report it.
                log.debug("aliases cannot be read", error=str(error))

    async def _poll(self) -> None:
        """Follow the secondary alias: retire the previous index, open and acknowledge the new."""
        wanted = await self._find()
        if self._secondary is not None and self._secondary.collection.generation != (
            wanted.generation if wanted else None
        ):
            log.info("mirroring stopped", collection=self._secondary.collection.generation)
            self._retired.append(self._secondary)
            self._secondary = None
        for secondary in [each for each in self._retired if each.writes_in_flight == 0]:
            self._retired.remove(secondary)
            await secondary.resources.aclose()
        if wanted is None or wanted.generation == self._rejected_generation:
            return
        if self._secondary is None:
            try:
                self._secondary = await self._open(wanted)
            except Misconfigured as error:
                # The flow keeps writing to its own index; without its acknowledgement the switch
                # does not go ahead.
                self._rejected_generation = wanted.generation
                log.error("index cannot be mirrored", model=wanted.model, error=str(error))
                return
            log.info("mirroring started", collection=wanted.generation, model=wanted.model)
        await self._acknowledgements.acknowledge(wanted.generation, self._process)
