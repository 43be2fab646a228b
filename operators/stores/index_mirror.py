"""The catalog flow's mirror: while the model is switched, what it writes goes to both indexes.

The flow looks now and then whether a collection of another encoder is kept up beside its own, loads
that encoder, writes to both from then on, and says so: the switch waits for it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import structlog
from PIL.Image import Image

from operators.ports import ImageTextEncoder, IndexedAttributes, VectorStore
from operators.stores.redis.mirrors import MirrorAcknowledgements
from operators.stores.weaviate.schema import Collection
from schemas.errors import Misconfigured, Unavailable

log = structlog.get_logger()

LOOK_SECONDS = 2.0
"""Between two looks at what is to be kept up."""


@dataclass(slots=True, eq=False)
class Kept:
    """The other collection, open for writing."""

    collection: Collection
    encoder: ImageTextEncoder
    index: VectorStore
    closing: AsyncExitStack
    users: int = field(default=0, init=False)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Meanwhile it is not closed."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1


class BesideMirror:
    """A :class:`operators.ports.Mirror` of what the aliases say is to be kept up."""

    def __init__(
        self,
        find: Callable[[], Awaitable[Collection | None]],
        open_collection: Callable[[Collection], Awaitable[Kept]],
        acknowledgements: MirrorAcknowledgements,
    ) -> None:
        """``find`` tells the other collection, ``open_collection`` opens it; both may raise
        Unavailable or Misconfigured."""
        self._find = find
        self._open = open_collection
        self._acknowledgements = acknowledgements
        self._process = uuid.uuid4().hex
        self._kept: Kept | None = None
        self._retired: list[Kept] = []
        self._refused: str | None = None
        """Generation whose model could not be loaded: it is not tried every two seconds."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[BesideMirror]:
        """Keeps up whatever there is, from the beginning on: a flow that starts in the middle of
        a switch writes nothing to its own index alone."""
        await self._look()
        looking = asyncio.create_task(self._look_again_and_again())
        try:
            yield self
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            for kept in (*self._retired, *([self._kept] if self._kept else [])):
                await kept.closing.aclose()

    @property
    def fingerprint(self) -> str | None:
        return None if self._kept is None else self._kept.collection.fingerprint

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        if (kept := self._kept) is not None:
            with kept.used():
                vector = await kept.encoder.encode_image(image)
                await kept.index.upsert(key, vector, attributes)

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        if (kept := self._kept) is not None:
            with kept.used():
                await kept.index.patch(key, attributes)

    async def delete(self, key: str) -> None:
        if (kept := self._kept) is not None:
            with kept.used():
                await kept.index.delete(key)

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except Unavailable as error:
                # Writes wait for the same part, and say so; what is kept up stays kept up.
                log.debug("the aliases cannot be read", error=str(error))

    async def _look(self) -> None:
        """Keep up what is to be kept up, and say so."""
        wanted = await self._find()
        if self._kept is not None and self._kept.collection.generation != (
            wanted.generation if wanted else None
        ):
            log.info("index no longer mirrored", collection=self._kept.collection.generation)
            self._retired.append(self._kept)
            self._kept = None
        for kept in [kept for kept in self._retired if kept.users == 0]:
            self._retired.remove(kept)
            await kept.closing.aclose()
        if wanted is None or wanted.generation == self._refused:
            return
        if self._kept is None:
            try:
                self._kept = await self._open(wanted)
            except Misconfigured as error:
                # The flow's own index goes on; without our word for it nothing is switched.
                self._refused = wanted.generation
                log.error("index cannot be mirrored", model=wanted.model, error=str(error))
                return
            log.info("index mirrored", collection=wanted.generation, model=wanted.model)
        await self._acknowledgements.acknowledge(wanted.generation, self._process)
