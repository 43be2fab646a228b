"""The parts that looks are matched with, opened from settings."""

from __future__ import annotations

import structlog

from dataflows.wiring.clients import Clients
from dataflows.wiring.encoders import find_layer_finder
from operators.matching.parsed_layers import ParsedLayers
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.models.vlm.probe import probe_vlm
from operators.ports import VectorStore
from operators.stores.lost_index import LostIndex
from operators.stores.redis.ledger_identity import IdentityGuard, LedgerIdentity
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import IndexLost, LedgerLost, Unavailable
from schemas.settings import Settings

log = structlog.get_logger()


async def open_match_parts(
    clients: Clients, settings: Settings, *, online: bool, one_look: bool = False
) -> MatchParts:
    """Open the parts with ``clients``, which closes them. Raises Misconfigured or Unavailable.

    ``online`` and ``one_look``: see :func:`dataflows.wiring.parts.open_look_parts`.
    """
    encoder, taxonomy = clients.encoder, taxonomy_of(clients)
    calibration = await clients.calibration()
    if not online:
        log.info("layers are found", by=find_layer_finder(encoder, settings))
    await _check_vlm(settings)
    segmenter: PatchSegmenter | ParsedLayers | None = None
    tagger = None
    if parsed := settings.parser.kind != "none":
        segmenter = clients.parsed_layers
        if not one_look:
            await clients.parser.load()
    elif encoder.finds_layers:
        segmenter = PatchSegmenter(encoder, list(Department), calibration)
        await segmenter.prepare()
    if encoder.reads_text:
        tagger = Tagger(encoder, taxonomy)
        await tagger.prepare()
    vlm = None
    if settings.vlm.kind != "none":
        vlm = await clients.vlm(taxonomy, deferred=one_look)
    index, identity = await _index_and_ledger(clients, online=online)
    return MatchParts(
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
        vlm=vlm,
        familiarity=clients.familiarity,
        person_finder=segmenter if parsed or calibration.finds_people else None,
        query_segmenter=clients.query_segmenter if settings.segmenter.kind != "none" else None,
    )


def taxonomy_of(clients: Clients) -> Taxonomy:
    """The vocabulary; zero-shot answers are limited to the labels the encoder was trained on."""
    labels = clients.shipped_calibration.labels
    taxonomy = Taxonomy.load()
    return taxonomy if labels is None else taxonomy.answering_with(labels)


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
