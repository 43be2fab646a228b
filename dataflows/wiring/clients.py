"""The one place where clients are built from settings, each when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import redis.asyncio

from operators.catalog.apply import NoMirror
from operators.images.fetch import PictureFetcher
from operators.models.batching_encoder import BatchingEncoder
from operators.models.load_encoder import load_encoder
from operators.models.vlm.cached import CachedVisionModel
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.ports import Mirror, VectorStore, VisionLanguageModel
from operators.stores.index_mirror import BesideMirror, Kept
from operators.stores.redis.cache import RedisCache
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.ledger_identity import (
    IdentityGuard,
    LedgerIdentity,
    identify,
    remember,
    remembered,
)
from operators.stores.redis.mirrors import MirrorAcknowledgements
from operators.stores.redis.server import examine, refuse_unsafe
from operators.stores.sqlite.index import SqliteIndex
from operators.stores.weaviate.aliases import Aliases
from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from operators.stores.weaviate.schema import Collection
from operators.streaming.health.metrics import FlowMetrics
from operators.vocabulary.taxonomy import Taxonomy
from schemas.errors import IndexMismatch, Misconfigured
from schemas.settings import RedisSettings, Settings

if TYPE_CHECKING:
    from operators.models.florence_sam2 import FlorenceSam2
    from operators.models.vlm.embedded import EmbeddedVisionModel


class Closable(Protocol):
    """What has something to finish before the process ends."""

    async def close(self) -> None: ...


Part = TypeVar("Part", bound=Closable)
Observe = Callable[[int, float], None]


@contextmanager
def embedded_services(settings: Settings) -> Iterator[str]:
    """The Redis URL in force; meanwhile the embedded server runs, if the settings ask for it."""
    if settings.redis.kind == "url":
        yield settings.redis.url
        return
    server = ensure_server(settings.redis.folder)
    try:
        yield server.url
    finally:
        server.stop()


def _access(settings: RedisSettings) -> RedisSettings | None:
    """How to get in; our own server lets in whoever reaches its socket."""
    return settings if settings.kind == "url" else None


class Clients:
    """Opens parts one by one, and closes them in the opposite order."""

    def __init__(
        self, settings: Settings, metrics: FlowMetrics | None, *, online: bool = False
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._online = online
        self._stack = AsyncExitStack()
        self._redis: redis.asyncio.Redis | None = None

    async def __aenter__(self) -> Clients:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def encoder(self, model: str | None = None) -> BatchingEncoder:
        """The encoder of the settings, or of another ``model``."""

        def observe(part: str, size: int, waited_seconds: float) -> None:
            if self._metrics is not None:
                self._metrics.observe_batches(part)(size, waited_seconds)

        named = self._settings.encoder
        if model is not None:
            named = named.model_copy(update={"model": model})
        encoder = self._kept(load_encoder(named, observe))
        if not encoder.reads_text:
            raise Misconfigured(
                f"encoder.model = {named.model!r} has an image tower only; the "
                "flows find and tag layers by words: choose an encoder that reads text"
            )
        return encoder

    def pictures(self) -> PictureFetcher:
        return self._kept(PictureFetcher(self._settings.images))

    async def index(self, encoder: BatchingEncoder) -> VectorStore:
        index, observe = self._settings.index, self._observed("index.writes")
        if index.kind == "weaviate":
            return self._kept(
                await WeaviateIndex.open(
                    index,
                    fingerprint=encoder.fingerprint,
                    dimension=encoder.dimension,
                    model=self._settings.encoder.model,
                    observe=observe,
                )
            )
        return self._kept(
            SqliteIndex.open(
                index.path,
                fingerprint=encoder.fingerprint,
                dimension=encoder.dimension,
                writes=index.writes,
                observe=observe,
            )
        )

    async def collection(self, collection: Collection) -> WeaviateIndex:
        """The index that ``collection`` is, whatever encoder the settings name."""
        return self._kept(
            await WeaviateIndex.open(
                self._settings.index,
                fingerprint=collection.fingerprint,
                dimension=collection.dimension,
                model=collection.model,
            )
        )

    async def aliases(self) -> Aliases:
        index = self._settings.index
        if index.kind != "weaviate":
            raise Misconfigured(
                f"index.kind = {index.kind!r} holds one model; for another one set index.path to "
                "a new file and replay the catalog into it"
            )
        return Aliases(self._kept(await WeaviateConnection.open(index)), index)

    def acknowledgements(self) -> MirrorAcknowledgements:
        return MirrorAcknowledgements(self._client())

    async def mirror(self, encoder: BatchingEncoder) -> Mirror:
        """Keeps up the collection beside the one of ``encoder``, if there is one."""
        if self._settings.index.kind != "weaviate":
            return NoMirror()
        aliases = await self.aliases()

        async def find() -> Collection | None:
            return (await aliases.pair()).other_than(encoder.fingerprint)

        async def open_collection(collection: Collection) -> Kept:
            async with Clients(self._settings, self._metrics) as opened:
                other = await asyncio.to_thread(opened.encoder, collection.model)
                index = await opened.collection(collection)
                if other.fingerprint != collection.fingerprint:
                    raise IndexMismatch(
                        f"{collection.model} is {other.fingerprint} here; {collection.generation} "
                        "was made with other weights of that name"
                    )
                return Kept(collection, other, index, opened.kept_open())

        mirror = BesideMirror(find, open_collection, self.acknowledgements())
        return await self._stack.enter_async_context(mirror.running())

    def kept_open(self) -> AsyncExitStack:
        """What was opened stays open until this is closed."""
        return self._stack.pop_all()

    def vlm(self, taxonomy: Taxonomy) -> VisionLanguageModel:
        def repaired(kind: str) -> None:
            if self._metrics is not None:
                self._metrics.repaired_answers.labels(kind).inc()

        settings = self._settings.vlm
        model: OpenAIVisionModel | EmbeddedVisionModel
        if settings.kind == "embedded":
            # Not at the top: transformers' model classes take seconds to load.
            from operators.models.vlm.embedded import EmbeddedVisionModel

            model = self._kept(EmbeddedVisionModel.load(settings, taxonomy, repaired))
        else:
            model = self._kept(OpenAIVisionModel(settings, taxonomy, repaired))
        if settings.cache_seconds == 0:
            return model
        return CachedVisionModel(model, self.cache(), settings.cache_seconds)

    def cutter(self) -> FlorenceSam2:
        # Not at the top: transformers' model classes take seconds to load.
        from operators.models.florence_sam2 import FlorenceSam2

        segmenter = self._settings.segmenter
        return self._kept(FlorenceSam2.load(segmenter.florence, segmenter.sam2, segmenter.device))

    def ledger(self, identity: LedgerIdentity | None) -> RedisLedger:
        """Stops being read or written once it is lost."""
        return self._ledger(IdentityGuard(identity))

    def unguarded_ledger(self) -> RedisLedger:
        return self._ledger(None)

    def _ledger(self, guard: IdentityGuard | None) -> RedisLedger:
        return self._kept(
            RedisLedger(self._client(), self._settings.redis.reads, self._observed("ledger"), guard)
        )

    async def ledger_identity(self, index: VectorStore, file: Path | None = None) -> LedgerIdentity:
        """Which ledger is in Redis; ``file`` remembers which it was. Raises LedgerLost when it is
        not the one that belongs to ``index``."""
        known = remembered(file) if file is not None else None
        found = await identify(await self.safe_redis(), index, known)
        if file is not None and found != known:
            remember(file, found)
        return found

    async def safe_redis(self) -> redis.asyncio.Redis:
        """Raises Misconfigured when the server could lose ledger entries in silence."""
        if self._settings.redis.kind == "url":
            refuse_unsafe(await examine(self._client()))
        return self._client()

    def cache(self) -> RedisCache:
        return self._kept(
            RedisCache(self._client(), self._settings.redis.reads, self._observed("cache"))
        )

    def claims(self) -> RedisClaims:
        return self._kept(
            RedisClaims(self._client(), self._settings.redis.reads, self._observed("claims"))
        )

    def _client(self) -> redis.asyncio.Redis:
        if self._redis is None:
            url = self._stack.enter_context(embedded_services(self._settings))
            self._redis = open_redis(url, _access(self._settings.redis), online=self._online)
            self._stack.push_async_callback(self._redis.aclose)
        return self._redis

    def _kept(self, part: Part) -> Part:
        self._stack.push_async_callback(part.close)
        return part

    def _observed(self, part: str) -> Observe | None:
        return self._metrics.observe_batches(part) if self._metrics is not None else None
