"""The composition root: the one place where clients are built from settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import redis.asyncio

from dataflows.mirror import BesideMirror, Kept
from operators.catalog.apply import CatalogParts, NoMirror
from operators.catalog.backfill import BackfillParts
from operators.catalog.mapping import load_mappings
from operators.catalog.standardise import Standardiser
from operators.catalog.taxonomy import Taxonomy
from operators.images.fetch import PictureFetcher
from operators.matching.calibration import Calibration
from operators.matching.parts import MatchParts
from operators.matching.segment import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.models.batching_encoder import BatchingEncoder
from operators.models.load_encoder import load_encoder
from operators.models.vlm.cached import CachedVisionModel
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.ports import Claims, Ledger, Mirror, VectorStore, VisionLanguageModel
from operators.stores.ledger_identity import (
    IdentityGuard,
    LedgerIdentity,
    identify,
    remember,
    remembered,
)
from operators.stores.redis_cache import RedisCache
from operators.stores.redis_claims import RedisClaims
from operators.stores.redis_client import open_redis
from operators.stores.redis_ledger import RedisLedger
from operators.stores.redis_mirrors import MirrorAcknowledgements
from operators.stores.redis_server import examine, refuse_unsafe
from operators.stores.sqlite_index import SqliteIndex
from operators.stores.thumbnails import ThumbnailFolder
from operators.stores.valkey_server import ensure_server
from operators.stores.weaviate_aliases import Aliases
from operators.stores.weaviate_connection import WeaviateConnection
from operators.stores.weaviate_index import WeaviateIndex
from operators.stores.weaviate_schema import Collection
from operators.streaming.metrics import FlowMetrics
from schemas.attributes import Department
from schemas.errors import IndexMismatch, LedgerLost, Misconfigured, Unavailable
from schemas.settings import RedisSettings, Settings

if TYPE_CHECKING:
    from operators.models.florence_sam2 import FlorenceSam2
    from operators.models.vlm.embedded import EmbeddedVisionModel


class Closable(Protocol):
    """What has something to finish before the process ends."""

    async def close(self) -> None: ...


Part = TypeVar("Part", bound=Closable)
Observe = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class LookParts:
    """What the look flow is built on."""

    match: MatchParts
    claims: Claims


@dataclass(frozen=True, slots=True)
class LedgerRepair:
    """What rebuilding the ledger works on."""

    client: redis.asyncio.Redis
    ledger: Ledger
    """Not guarded: it is read and written while it is nobody's."""
    index: VectorStore
    model: str
    """Fingerprint of the encoder whose vectors ``index`` holds."""


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


@dataclass(frozen=True, slots=True)
class ReembedParts:
    """What a switch of the model works on."""

    aliases: Aliases
    acknowledgements: MirrorAcknowledgements
    old: VectorStore
    made: Collection
    """The new model's collection."""
    backfill: BackfillParts


@asynccontextmanager
async def open_catalog_parts(
    settings: Settings, metrics: FlowMetrics | None = None, *, identity_file: Path | None = None
) -> AsyncIterator[CatalogParts]:
    """The parts of the catalog flow. Raises Misconfigured when one cannot be had.

    ``identity_file``: where the flow remembers which ledger it belongs to, beside its positions,
    which mean nothing to another one (LedgerLost).
    """
    async with _Opened(settings, metrics) as opened:
        encoder = opened.encoder()
        index = await opened.index(encoder)
        yield CatalogParts(
            mappings=load_mappings(settings.catalog.mappings),
            standardiser=Standardiser(
                encoder, _taxonomy(settings), settings.catalog.zero_shot_threshold
            ),
            pictures=opened.pictures(),
            encoder=encoder,
            index=index,
            ledger=opened.ledger(await opened.ledger_identity(index, identity_file)),
            thumbnails=ThumbnailFolder.open(settings.thumbnails),
            mirror=await opened.mirror(encoder),
            succeeds=index.succeeds if isinstance(index, WeaviateIndex) else frozenset(),
        )


@asynccontextmanager
async def open_look_parts(
    settings: Settings, metrics: FlowMetrics | None = None, *, online: bool = False
) -> AsyncIterator[LookParts]:
    """The parts of the look flow. Raises Misconfigured when one cannot be had.

    ``online``: somebody waits for the answer. Without the ledger he gets a degraded one; the
    stream waits instead (Unavailable) or stops (LedgerLost).
    """
    async with _Opened(settings, metrics, online=online) as opened:
        encoder, taxonomy = opened.encoder(), _taxonomy(settings)
        calibration = Calibration.of_encoder(settings.encoder.model)
        segmenter = PatchSegmenter(encoder, list(Department), calibration)
        tagger = Tagger(encoder, taxonomy)
        await segmenter.prepare()
        await tagger.prepare()
        index = await opened.index(encoder)
        identity: LedgerIdentity | None = None
        try:
            identity = await opened.ledger_identity(index)
        except (Unavailable, LedgerLost):
            if not online:
                raise
        yield LookParts(
            match=MatchParts(
                pictures=opened.pictures(),
                encoder=encoder,
                index=index,
                ledger=opened.ledger(identity),
                waits_for_ledger=not online,
                segmenter=segmenter,
                tagger=tagger,
                calibration=calibration,
                thumbnails=ThumbnailFolder.open(settings.thumbnails),
                settings=settings.matching,
                cache=opened.cache() if settings.matching.cache_seconds else None,
                vlm=opened.vlm(taxonomy) if settings.vlm.kind != "none" else None,
                cutter=opened.cutter() if settings.segmenter.kind != "none" else None,
            ),
            claims=opened.claims(),
        )


@asynccontextmanager
async def open_index(settings: Settings) -> AsyncIterator[VectorStore]:
    """The index of the encoder in force, made when there is none."""
    async with _Opened(settings, None) as opened:
        yield await opened.index(opened.encoder())


@asynccontextmanager
async def open_ledger_repair(settings: Settings) -> AsyncIterator[LedgerRepair]:
    """What rebuilding the ledger takes. Raises Misconfigured when it cannot be had."""
    async with _Opened(settings, None) as opened:
        encoder = opened.encoder()
        yield LedgerRepair(
            client=await opened.safe_redis(),
            ledger=opened.unguarded_ledger(),
            index=await opened.index(encoder),
            model=encoder.fingerprint,
        )


@asynccontextmanager
async def open_aliases(settings: Settings) -> AsyncIterator[Aliases]:
    """The aliases of the index. Raises Misconfigured when it has none."""
    async with _Opened(settings, None) as opened:
        yield await opened.aliases()


@asynccontextmanager
async def open_reembed(settings: Settings, to: str) -> AsyncIterator[ReembedParts]:
    """What a switch to the model ``to`` takes, its collection made and kept up from now on."""
    async with _Opened(settings, None) as opened:
        aliases = await opened.aliases()
        encoder = opened.encoder(to)
        old = await opened.collection((await aliases.pair()).in_force)
        identity = await opened.ledger_identity(old)
        made = await aliases.begin(
            fingerprint=encoder.fingerprint, dimension=encoder.dimension, model=to
        )
        yield ReembedParts(
            aliases=aliases,
            acknowledgements=opened.acknowledgements(),
            old=old,
            made=made,
            backfill=BackfillParts(
                ledger=opened.ledger(identity),
                pictures=opened.pictures(),
                thumbnails=ThumbnailFolder.open(settings.thumbnails),
                encoder=encoder,
                index=await opened.collection(made),
            ),
        )


def _access(settings: RedisSettings) -> RedisSettings | None:
    """How to get in; our own server lets in whoever reaches its socket."""
    return settings if settings.kind == "url" else None


def _taxonomy(settings: Settings) -> Taxonomy:
    """The vocabulary; zero-shot answers are limited to what the encoder has been trained on."""
    labels = Calibration.of_encoder(settings.encoder.model).labels
    taxonomy = Taxonomy.load()
    return taxonomy if labels is None else taxonomy.answering_with(labels)


class _Opened:
    """Opens parts one by one, and closes them in the opposite order."""

    def __init__(
        self, settings: Settings, metrics: FlowMetrics | None, *, online: bool = False
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._online = online
        self._stack = AsyncExitStack()
        self._redis: redis.asyncio.Redis | None = None

    async def __aenter__(self) -> _Opened:
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
            async with _Opened(self._settings, self._metrics) as opened:
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
