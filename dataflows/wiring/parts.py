"""The composition root: the dependencies of each flow and job, opened from settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis.asyncio import Redis

from dataflows.wiring.clients import Clients
from dataflows.wiring.encoders import reduced_suffice
from dataflows.wiring.match_parts import open_match_parts, taxonomy_of
from operators.catalog.backfill import BackfillParts
from operators.catalog.mapping import load_mappings
from operators.catalog.parts import CatalogParts
from operators.catalog.rebuild import RebuildParts
from operators.catalog.standardise import Standardiser
from operators.matching.parts import MatchParts
from operators.ports import Claims, RefreshSchedule, VectorStore
from operators.stores.redis.calibrations import RedisCalibrations
from operators.stores.redis.ledger_identity import (
    IdentityGuard,
    require_ledger,
)
from operators.stores.redis.mirrors import MirrorAcknowledgements
from operators.streaming.engine.gate import Gate
from operators.streaming.health.metrics import FlowMetrics
from schemas.settings import Settings

if TYPE_CHECKING:
    from operators.stores.weaviate.aliases import Aliases
    from operators.stores.weaviate.schema import Collection


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
        predecessors = await clients.predecessor_fingerprints()
        identity = await clients.ledger_identity(index, identity_file)
        await clients.thumbnails.require_writable()
        if gate is not None:
            await clients.follow_pauses("catalog", gate)
        yield CatalogParts(
            mappings=load_mappings(settings.catalog.mappings),
            standardiser=Standardiser(
                clients.encoder, taxonomy_of(clients), settings.catalog.zero_shot_threshold
            ),
            pictures=clients.pictures,
            encoder=clients.encoder,
            index=index,
            ledger=clients.ledger(IdentityGuard(identity)),
            thumbnails=clients.thumbnails,
            schedule=clients.schedule,
            mirror=await clients.mirror(),
            reduced_suffice=reduced_suffice(clients.encoder, settings),
            predecessor_fingerprints=predecessors,
        )


@asynccontextmanager
async def open_look_parts(
    settings: Settings,
    metrics: FlowMetrics | None = None,
    *,
    online: bool = False,
    one_look: bool = False,
    gate: Gate | None = None,
) -> AsyncIterator[LookParts]:
    """Open the parts of the look flow. Raises Misconfigured or Unavailable.

    ``gate``: closed while the flow is paused.
    ``online``: a user is waiting, so without the ledger or the index the answer is degraded. The
    stream instead waits for the ledger (Unavailable) or stops (LedgerLost, IndexLost).
    ``one_look``: they are opened for a single look, which may be known, so an embedded
    vision-language model is loaded when it is first asked.
    """
    async with Clients(settings, metrics, online=online) as clients:
        match = await open_match_parts(clients, settings, online=online, one_look=one_look)
        if gate is not None:
            await clients.follow_pauses("looks", gate)
        yield LookParts(match=match, claims=clients.claims, calibrations=clients.calibrations)


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
                reduced_suffice=reduced_suffice(clients.encoder, settings),
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
                reduced_suffice=reduced_suffice(encoder, settings),
            ),
        )
