"""The composition root: what each flow and job is built on, from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import redis.asyncio

from dataflows.wiring.clients import Clients
from operators.catalog.apply import CatalogParts
from operators.catalog.backfill import BackfillParts
from operators.catalog.mapping import load_mappings
from operators.catalog.standardise import Standardiser
from operators.matching.calibration import Calibration
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.models.encoder_table import encoder_source
from operators.ports import Claims, Ledger, VectorStore
from operators.stores.redis.ledger_identity import LedgerIdentity
from operators.stores.redis.mirrors import MirrorAcknowledgements
from operators.stores.thumbnails import ThumbnailFolder
from operators.stores.weaviate.aliases import Aliases
from operators.stores.weaviate.index import WeaviateIndex
from operators.stores.weaviate.schema import Collection
from operators.streaming.health.metrics import FlowMetrics
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import LedgerLost, Unavailable
from schemas.settings import Settings


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
    async with Clients(settings, metrics) as opened:
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
    async with Clients(settings, metrics, online=online) as opened:
        encoder, taxonomy = opened.encoder(), _taxonomy(settings)
        calibration = Calibration.of_encoder(encoder_source(settings.encoder.model))
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
    async with Clients(settings, None) as opened:
        yield await opened.index(opened.encoder())


@asynccontextmanager
async def open_ledger_repair(settings: Settings) -> AsyncIterator[LedgerRepair]:
    """What rebuilding the ledger takes. Raises Misconfigured when it cannot be had."""
    async with Clients(settings, None) as opened:
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
    async with Clients(settings, None) as opened:
        yield await opened.aliases()


@asynccontextmanager
async def open_reembed(settings: Settings, to: str) -> AsyncIterator[ReembedParts]:
    """What a switch to the model ``to`` takes, its collection made and kept up from now on."""
    async with Clients(settings, None) as opened:
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


def _taxonomy(settings: Settings) -> Taxonomy:
    """The vocabulary; zero-shot answers are limited to what the encoder has been trained on."""
    labels = Calibration.of_encoder(encoder_source(settings.encoder.model)).labels
    taxonomy = Taxonomy.load()
    return taxonomy if labels is None else taxonomy.answering_with(labels)
