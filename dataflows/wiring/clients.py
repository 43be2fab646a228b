"""The owner of a process's clients: the one place where they are constructed from settings.

Longer than 300 lines: a client opened elsewhere could be opened twice, or never closed. Torch,
transformers and Weaviate's client take seconds to import: each is imported where it is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog
from redis.asyncio import Redis

from dataflows.wiring.embedded import embedded_services
from dataflows.wiring.encoders import load_flow_encoder
from dataflows.wiring.identity import verify_ledger
from dataflows.wiring.pauses import following_pauses
from operators.catalog.parts import NoMirror
from operators.images.fetch import PictureFetcher
from operators.matching.calibration import Calibration, LayerCalibration
from operators.matching.familiarity import Familiarity
from operators.matching.parsed_layers import ParsedLayers
from operators.metering import Meter, unmetered
from operators.models.encoder_table import encoder_source
from operators.models.vlm.cached import CachedVisionModel
from operators.models.vlm.deferred import DeferredVisionModel
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.ports import Mirror, VectorStore, VisionLanguageModel
from operators.stores.index_mirror import SecondaryIndex, SecondaryIndexMirror
from operators.stores.redis.cache import RedisCache
from operators.stores.redis.calibrations import RedisCalibrations
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.client import open_redis
from operators.stores.redis.kept_matches import RedisKeptMatches
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.ledger_identity import IdentityGuard, LedgerIdentity
from operators.stores.redis.look_pictures import RedisLookPictures
from operators.stores.redis.mirrors import MirrorAcknowledgements
from operators.stores.redis.pauses import RedisPauses
from operators.stores.redis.schedule import RedisSchedule
from operators.stores.redis.server import inspect_server, refuse_unsafe, risks
from operators.stores.sqlite.index import SqliteIndex
from operators.stores.thumbnails import ThumbnailFolder
from operators.streaming.engine.gate import Gate
from operators.streaming.health.metrics import FlowMetrics
from operators.vocabulary.taxonomy import Taxonomy
from schemas.errors import IndexMismatch, Misconfigured, Unavailable
from schemas.settings import Settings

if TYPE_CHECKING:
    from dataflows.wiring.encoders import FlowEncoder
    from operators.models.florence_sam2 import FlorenceSam2
    from operators.models.transformers_parser import TransformersParser
    from operators.stores.weaviate.aliases import Aliases
    from operators.stores.weaviate.connection import WeaviateConnection
    from operators.stores.weaviate.index import WeaviateIndex
    from operators.stores.weaviate.schema import Collection


class Closable(Protocol):
    """A client that must finish its calls before the process ends."""

    async def close(self) -> None: ...


log = structlog.get_logger()

Client = TypeVar("Client", bound=Closable)
Observe = Callable[[int, float], None]


class Clients:
    """Opens each client at its first use, at most once, and closes them in reverse order.

    Opening may raise Misconfigured, or Unavailable when a server does not answer; the other
    clients stay usable, and the next use tries again.
    """

    def __init__(
        self, settings: Settings, metrics: FlowMetrics | None = None, *, online: bool = False
    ) -> None:
        """``online``: Redis gives up quickly, because a user is waiting."""
        self._settings = settings
        self._metrics = metrics
        self._online = online
        self._stack = AsyncExitStack()
        self._weaviate: WeaviateConnection | None = None
        self._index: VectorStore | None = None

    async def __aenter__(self) -> Clients:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    @cached_property
    def encoder(self) -> FlowEncoder:
        """The encoder in force."""
        return self._closing(self._load_encoder(self._settings.encoder.model))

    def other_encoder(self, model: str) -> FlowEncoder:
        """The encoder of another ``model``, loaded again at each call."""
        return self._closing(self._load_encoder(model))

    @cached_property
    def pictures(self) -> PictureFetcher:
        """Fetches pictures from outside."""
        fetcher = self._closing(PictureFetcher(self._settings.images, self._meter("pictures")))
        if self._metrics is not None:
            self._metrics.picture_hosts_shut.set_function(lambda: fetcher.hosts_shut)
        return fetcher

    @cached_property
    def thumbnails(self) -> ThumbnailFolder:
        """Where product pictures are kept small."""
        return ThumbnailFolder.open(self._settings.thumbnails)

    async def weaviate(self) -> WeaviateConnection:
        """The one connection to Weaviate."""
        if self._weaviate is None:
            index = self._settings.index
            if index.kind != "weaviate":
                raise Misconfigured(
                    f"index.kind = {index.kind!r} holds one model; for another one set index.path "
                    "to a new file and run `looksync jobs rebuild-index`"
                )
            from operators.stores.weaviate.connection import WeaviateConnection

            self._weaviate = self._closing(
                await WeaviateConnection.open(index, self._meter("weaviate"))
            )
        return self._weaviate

    async def index(self) -> VectorStore:
        """The index of the encoder in force, created when missing."""
        if self._index is None:
            self._index = await self._open_index()
        return self._index

    async def predecessor_fingerprints(self) -> frozenset[str]:
        """Earlier encoders whose products the index already holds, embedded by the one in force.

        Raises Misconfigured when Weaviate would acknowledge writes before they can be searched.
        """
        if self._settings.index.kind != "weaviate":
            return frozenset()
        from operators.stores.weaviate.async_indexing import refuse_async_indexing
        from operators.stores.weaviate.index import WeaviateIndex

        index = await self.index()
        await refuse_async_indexing(await self.weaviate(), self._settings.index)
        return index.predecessor_fingerprints if isinstance(index, WeaviateIndex) else frozenset()

    async def restored_index(self) -> VectorStore:
        """As :meth:`index`; also when the collection behind its alias is gone."""
        if self._settings.index.kind == "weaviate":
            from operators.stores.weaviate.aliases import forget_lost_targets

            await forget_lost_targets(await self.weaviate(), self._settings.index.alias)
        return await self.index()

    async def collection(self, collection: Collection) -> WeaviateIndex:
        """The index of ``collection``, whatever encoder the settings name."""
        return self._closing(await self._open_collection(collection))

    async def aliases(self) -> Aliases:
        """The aliases of the index."""
        from operators.stores.weaviate.aliases import Aliases

        return Aliases(await self.weaviate(), self._settings.index)

    @cached_property
    def acknowledgements(self) -> MirrorAcknowledgements:
        """Which catalog flows write to the secondary index."""
        return MirrorAcknowledgements(self.redis)

    async def mirror(self) -> Mirror:
        """Writes to the secondary index as long as there is one."""
        if self._settings.index.kind != "weaviate":
            return NoMirror()
        aliases, fingerprint = await self.aliases(), self.encoder.fingerprint

        async def find() -> Collection | None:
            return (await aliases.pair()).mirror_for(fingerprint)

        async def open_collection(collection: Collection) -> SecondaryIndex:
            # Closed on its own, when the switch ends.
            async with AsyncExitStack() as stack:
                encoder = await asyncio.to_thread(self._load_encoder, collection.model)
                stack.push_async_callback(encoder.close)
                if encoder.fingerprint != collection.fingerprint:
                    raise IndexMismatch(
                        f"{collection.model} is {encoder.fingerprint} here; "
                        f"{collection.generation} was made with other weights of that name"
                    )
                index = await self._open_collection(collection)
                stack.push_async_callback(index.close)
                return SecondaryIndex(collection, encoder, index, stack.pop_all())

        mirror = SecondaryIndexMirror(find, open_collection, self.acknowledgements)
        return await self._stack.enter_async_context(mirror.running())

    async def vlm(self, taxonomy: Taxonomy, *, deferred: bool) -> VisionLanguageModel:
        """The vision-language model, its answers cached unless the settings say otherwise.

        ``deferred``: an embedded one is loaded when it is first asked.
        """
        model, seconds = self.vlm_without_cache(taxonomy), self._settings.vlm.cache_seconds
        if isinstance(model, DeferredVisionModel) and not deferred:
            await model.load()
        return CachedVisionModel(model, self.cache, seconds) if seconds else model

    def vlm_without_cache(self, taxonomy: Taxonomy) -> VisionLanguageModel:
        """The vision-language model itself."""

        def repaired(kind: str) -> None:
            if self._metrics is not None:
                self._metrics.repaired_answers.labels(kind).inc()

        settings = self._settings.vlm
        if settings.kind == "embedded":
            return self._closing(DeferredVisionModel(settings, taxonomy, repaired))
        model = self._closing(OpenAIVisionModel(settings, taxonomy, repaired, self._meter("vlm")))
        if self._metrics is not None:
            self._metrics.breaker_open.labels("vlm").set_function(lambda: model.fails_every_call)
        return model

    @cached_property
    def parser(self) -> TransformersParser:
        """Says which garment each part of a look shows."""
        from operators.models.transformers_parser import TransformersParser

        return self._closing(TransformersParser(self._settings.parser))

    @cached_property
    def parsed_layers(self) -> ParsedLayers:
        """Finds people and layers with the parser."""
        return ParsedLayers(self.parser, LayerCalibration.in_folder(self.parser.folder))

    @cached_property
    def query_segmenter(self) -> FlorenceSam2:
        """Cuts a layer out of a look by its query."""
        from operators.models.florence_sam2 import FlorenceSam2

        segmenter = self._settings.segmenter
        return self._closing(
            FlorenceSam2.load(segmenter.florence, segmenter.sam2, segmenter.device)
        )

    def ledger(self, guard: IdentityGuard | None) -> RedisLedger:
        """The product ledger; ``guard``: see RedisLedger."""
        return self._closing(
            RedisLedger(
                self.redis,
                self._settings.redis.reads,
                self._observed("ledger"),
                guard,
                self._meter("redis"),
            )
        )

    async def ledger_identity(self, index: VectorStore, file: Path | None = None) -> LedgerIdentity:
        """The identity of the ledger in Redis; ``file`` remembers it for the next start.

        Raises LedgerLost when it is not the ledger that belongs to ``index``, IndexLost when
        ``index`` is not one that the ledger describes.
        """
        client = await self.safe_redis()
        return await verify_ledger(client, self.ledger(None), index, file)

    async def safe_redis(self) -> Redis:
        """The Redis client; Misconfigured when the server could lose ledger entries unnoticed."""
        if self._settings.redis.kind == "url":
            server = await inspect_server(self.redis)
            refuse_unsafe(server)
            for risk in risks(server):
                log.warning("redis is at risk", risk=risk)
        return self.redis

    @cached_property
    def cache(self) -> RedisCache:
        """The one cache: results and the model's answers have keys of their own in it."""
        return self._closing(
            RedisCache(
                self.redis,
                self._settings.redis.reads,
                self._observed("cache"),
                self._meter("redis"),
            )
        )

    @cached_property
    def calibrations(self) -> RedisCalibrations:
        """The probabilities that were fitted to the catalog."""
        return RedisCalibrations(self.redis)

    @cached_property
    def shipped_calibration(self) -> Calibration:
        """What came with the encoder's weights, or cautious guesses."""
        return Calibration.of_encoder(encoder_source(self._settings.encoder.model))

    @property
    def familiarity(self) -> Familiarity | None:
        """Which pictures the encoder knows; None: any."""
        return Familiarity.of_encoder(encoder_source(self._settings.encoder.model))

    async def calibration(self) -> Calibration:
        """The calibration of the encoder in force: fitted to the catalog, or shipped with it.

        Online, the shipped one when Redis does not answer.
        """
        try:
            fitted = await self.calibrations.read(self.encoder.fingerprint)
        except Unavailable:
            if not self._online:
                raise
            fitted = None
        return fitted or self.shipped_calibration

    @cached_property
    def schedule(self) -> RedisSchedule:
        """When which product is due to be settled again."""
        return RedisSchedule(self.redis)

    async def follow_pauses(self, flow: str, gate: Gate) -> None:
        """Close ``gate`` while ``flow`` is paused."""
        pauses = RedisPauses(self.redis)
        await self._stack.enter_async_context(following_pauses(pauses, flow, gate))

    @cached_property
    def claims(self) -> RedisClaims:
        """Which record brought a look first."""
        return self._closing(
            RedisClaims(
                self.redis,
                self._settings.redis.reads,
                self._observed("claims"),
                self._meter("redis"),
            )
        )

    @cached_property
    def kept_matches(self) -> RedisKeptMatches:
        """What the API can tell of looks."""
        return self._closing(
            RedisKeptMatches(
                self.redis,
                self._settings.redis.reads,
                self._settings.api.kept_hours * 3600,
                self._observed("matches"),
            )
        )

    @cached_property
    def look_pictures(self) -> RedisLookPictures:
        """What the API can show of looks."""
        return self._closing(
            RedisLookPictures(
                self.redis,
                self._settings.redis.reads,
                self._settings.api.kept_hours * 3600,
                self._observed("pictures"),
            )
        )

    @cached_property
    def redis(self) -> Redis:
        """The one Redis client; starts the embedded server if the settings ask for it."""
        settings = self._settings.redis
        url = self._stack.enter_context(embedded_services(self._settings))
        # The embedded server accepts any client of its socket.
        access = settings if settings.kind == "url" else None
        client = open_redis(url, access, online=self._online)
        self._stack.push_async_callback(client.aclose)
        return client

    def _load_encoder(self, model: str) -> FlowEncoder:
        return load_flow_encoder(self._settings, model, self._metrics)

    async def _open_index(self) -> VectorStore:
        settings, encoder = self._settings.index, self.encoder
        observe = self._observed("index.writes")
        if settings.kind == "weaviate":
            from operators.stores.weaviate.index import WeaviateIndex

            return self._closing(
                await WeaviateIndex.open(
                    await self.weaviate(),
                    settings,
                    fingerprint=encoder.fingerprint,
                    dimension=encoder.dimension,
                    model=self._settings.encoder.model,
                    observe=observe,
                )
            )
        return self._closing(
            SqliteIndex.open(
                settings.path,
                fingerprint=encoder.fingerprint,
                dimension=encoder.dimension,
                writes=settings.writes,
                observe=observe,
            )
        )

    async def _open_collection(self, collection: Collection) -> WeaviateIndex:
        from operators.stores.weaviate.index import WeaviateIndex

        return await WeaviateIndex.open(
            await self.weaviate(),
            self._settings.index,
            fingerprint=collection.fingerprint,
            dimension=collection.dimension,
            model=collection.model,
        )

    def _closing(self, client: Client) -> Client:
        """Close ``client`` at the end, before those opened earlier."""
        self._stack.push_async_callback(client.close)
        return client

    def _meter(self, part: str) -> Meter:
        return self._metrics.meter(part) if self._metrics is not None else unmetered

    def _observed(self, batches: str) -> Observe | None:
        return self._metrics.observe_batches(batches) if self._metrics is not None else None
