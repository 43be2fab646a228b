"""The composition root: the dependencies of each flow and job, opened from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from redis.asyncio import Redis

from dataflows.wiring.clients import Clients
from dataflows.wiring.encoders import find_layer_finder
from operators.catalog.backfill import BackfillParts
from operators.catalog.mapping import load_mappings
from operators.catalog.parts import CatalogParts
from operators.catalog.rebuild import RebuildParts
from operators.catalog.standardise import Standardiser
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.models.vlm.probe import probe_vlm
from operators.ports import Claims, RefreshSchedule, VectorStore
from operators.stores.lost_index import LostIndex
from operators.stores.redis.calibrations import RedisCalibrations
from operators.stores.redis.ledger_identity import (
    IdentityGuard,
    LedgerIdentity,
    require_ledger,
)
from operators.stores.redis.mirrors import MirrorAcknowledgements
from operators.stores.weaviate.aliases import Aliases
from operators.stores.weaviate.async_indexing import refuse_async_indexing
from operators.stores.weaviate.index import WeaviateIndex
from operators.stores.weaviate.schema import Collection
from operators.streaming.engine.gate import Gate
from operators.streaming.health.metrics import FlowMetrics
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import IndexLost, LedgerLost, Unavailable
from schemas.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LookParts:
    """The look flow's dependencies."""

    match: MatchParts
    claims: Claims
    calibrations: RedisCalibrations


@dataclass(frozen=True, slots=True)
class LedgerRepair:
    """What rebuilding the ledger reads and writes."""

    client: Redis
    rebuild: RebuildParts
    """Its ledger is not guarded: it has no identity during the rebuild."""


@dataclass(frozen=True, slots=True)
class IndexRepair:
    """What rebuilding the index reads and writes."""

    client: Redis
    backfill: BackfillParts
    schedule: RefreshSchedule


@dataclass(frozen=True, slots=True)
class ReembedParts:
    """What a switch of the model reads and writes."""

    client: Redis
    aliases: Aliases
    acknowledgements: MirrorAcknowledgements
    old: VectorStore
    made: Collection
    """The new model's collection."""
    backfill: BackfillParts


@asynccontextmanager
async def open_catalog_parts(
    settings: Settings,
    metrics: FlowMetrics | None = None,
    *,
    identity_file: Path | None = None,
    gate: Gate | None = None,
) -> AsyncIterator[CatalogParts]:
    """Open the parts of the catalog flow. Raises Misconfigured or Unavailable.

    ``gate``: closed while the flow is paused.
    ``identity_file``: where the flow remembers its ledger's identity, next to its positions, which
    mean nothing to another ledger (LedgerLost).
    """
    async with Clients(settings, metrics) as clients:
        index = await clients.index()
        if settings.index.kind == "weaviate":
            await refuse_async_indexing(await clients.weaviate(), settings.index)
        identity = await clients.ledger_identity(index, identity_file)
        await clients.thumbnails.require_writable()
        if gate is not None:
            await clients.follow_pauses("catalog", gate)
        yield CatalogParts(
            mappings=load_mappings(settings.catalog.mappings),
            standardiser=Standardiser(
                clients.encoder, _taxonomy(clients), settings.catalog.zero_shot_threshold
            ),
            pictures=clients.pictures,
            encoder=clients.encoder,
            index=index,
            ledger=clients.ledger(IdentityGuard(identity)),
            thumbnails=clients.thumbnails,
            schedule=clients.schedule,
            mirror=await clients.mirror(),
            predecessor_fingerprints=(
                index.predecessor_fingerprints if isinstance(index, WeaviateIndex) else frozenset()
            ),
        )


@asynccontextmanager
async def open_look_parts(
    settings: Settings,
    metrics: FlowMetrics | None = None,
    *,
    online: bool = False,
    gate: Gate | None = None,
) -> AsyncIterator[LookParts]:
    """Open the parts of the look flow. Raises Misconfigured or Unavailable.

    ``gate``: closed while the flow is paused.
    ``online``: a user is waiting, so without the ledger or the index the answer is degraded. The
    stream instead waits for the ledger (Unavailable) or stops (LedgerLost, IndexLost).
    """
    async with Clients(settings, metrics, online=online) as clients:
        encoder, taxonomy = clients.encoder, _taxonomy(clients)
        calibration = await clients.calibration()
        log.info("layers are found", by=find_layer_finder(encoder, settings))
        await _check_vlm(settings)
        segmenter = tagger = None
        if encoder.finds_layers:
            segmenter = PatchSegmenter(encoder, list(Department), calibration)
            await segmenter.prepare()
        if encoder.reads_text:
            tagger = Tagger(encoder, taxonomy)
            await tagger.prepare()
        index, identity = await _index_and_ledger(clients, online=online)
        if gate is not None:
            await clients.follow_pauses("looks", gate)
        yield LookParts(
            match=MatchParts(
                pictures=clients.pictures,
                encoder=encoder,
                index=index,
                ledger=clients.ledger(IdentityGuard(identity)),
                require_ledger=not online,
                segmenter=segmenter,
                tagger=tagger,
                calibration=calibration,
                thumbnails=clients.thumbnails,
                settings=settings.matching,
                cache=clients.cache if settings.matching.cache_seconds else None,
                vlm=clients.vlm(taxonomy) if settings.vlm.kind != "none" else None,
                familiarity=clients.familiarity,
                person_finder=segmenter if calibration.finds_people else None,
                query_segmenter=clients.query_segmenter
                if settings.segmenter.kind != "none"
                else None,
            ),
            claims=clients.claims,
            calibrations=clients.calibrations,
        )


async def _index_and_ledger(
    clients: Clients, *, online: bool
) -> tuple[VectorStore, LedgerIdentity | None]:
    """The index, and the identity of its ledger.

    ``online``: None for a ledger that is lost or away; for a lost index, one that reports the loss.
    """
    generation = "lost"
    try:
        index = await clients.index()
        generation = index.generation
        return index, await clients.ledger_identity(index)
    except (Unavailable, LedgerLost):
        if not online or generation == "lost":
            raise
        return index, None
    except IndexLost as error:
        if not online:
            raise
        log.error("the index is lost", error=str(error))
        return LostIndex(generation, error), None


async def _check_vlm(settings: Settings) -> None:
    """Stop now for what is certain to fail every look; later the model's failures only degrade."""
    if settings.vlm.kind != "openai":
        return
    try:
        await probe_vlm(settings.vlm)
    except Unavailable as error:
        log.warning("looks are matched without the model until it answers", error=str(error))


@asynccontextmanager
async def open_index(settings: Settings) -> AsyncIterator[VectorStore]:
    """Open the index of the encoder in force; create it when there is none."""
    async with Clients(settings) as clients:
        yield await clients.index()


@asynccontextmanager
async def open_ledger_repair(settings: Settings) -> AsyncIterator[LedgerRepair]:
    """Open what rebuilding the ledger needs. Raises Misconfigured or Unavailable."""
    async with Clients(settings) as clients:
        yield LedgerRepair(
            client=await clients.safe_redis(),
            rebuild=RebuildParts(
                index=await clients.index(),
                model=clients.encoder.fingerprint,
                ledger=clients.ledger(None),
                schedule=clients.schedule,
            ),
        )


@asynccontextmanager
async def open_index_repair(settings: Settings) -> AsyncIterator[IndexRepair]:
    """Open what rebuilding the index needs; it is created when missing.

    Raises Misconfigured, LedgerLost when there is nothing to rebuild it from, or Unavailable.
    """
    async with Clients(settings) as clients:
        client = await clients.safe_redis()
        identity = await require_ledger(client)
        yield IndexRepair(
            client=client,
            backfill=BackfillParts(
                ledger=clients.ledger(IdentityGuard(identity)),
                pictures=clients.pictures,
                thumbnails=clients.thumbnails,
                encoder=clients.encoder,
                index=await clients.restored_index(),
                thumbnails_first=True,
            ),
            schedule=clients.schedule,
        )


@asynccontextmanager
async def open_aliases(settings: Settings) -> AsyncIterator[Aliases]:
    """Open the aliases of the index. Raises Misconfigured when it has none."""
    async with Clients(settings) as clients:
        yield await clients.aliases()


@asynccontextmanager
async def open_reembed(settings: Settings, to: str) -> AsyncIterator[ReembedParts]:
    """Open what a switch to the model ``to`` needs: its collection is created and mirrored."""
    async with Clients(settings) as clients:
        aliases = await clients.aliases()
        encoder = clients.other_encoder(to)
        old = await clients.collection((await aliases.pair()).active)
        identity = await clients.ledger_identity(old)
        made = await aliases.begin(
            fingerprint=encoder.fingerprint, dimension=encoder.dimension, model=to
        )
        yield ReembedParts(
            client=clients.redis,
            aliases=aliases,
            acknowledgements=clients.acknowledgements,
            old=old,
            made=made,
            backfill=BackfillParts(
                ledger=clients.ledger(IdentityGuard(identity)),
                pictures=clients.pictures,
                thumbnails=clients.thumbnails,
                encoder=encoder,
                index=await clients.collection(made),
            ),
        )


def _taxonomy(clients: Clients) -> Taxonomy:
    """The vocabulary; zero-shot answers are limited to the labels the encoder was trained on."""
    labels = clients.shipped_calibration.labels
    taxonomy = Taxonomy.load()
    return taxonomy if labels is None else taxonomy.answering_with(labels)
