"""The look flow for one look: from a picture to products, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from operators.budget import Budget
from operators.concurrency import gather_or_cancel
from operators.matching.candidates import find
from operators.matching.confidence_features import confidence_features
from operators.matching.journal import Journal
from operators.matching.layers import Layer, detect_layers
from operators.matching.parts import MatchParts
from operators.matching.rerank import Ranked, by_model, by_retrieval, by_segment, by_similarity
from operators.matching.result_cache import cache_key, lookup, store
from operators.matching.select import Choice
from operators.matching.vectorize import fuse
from operators.ports import LayerDescription, Picture
from operators.vocabulary.views import product_of
from schemas.errors import DeadlineExceeded, ImageRefused, LookSyncError, Rejected
from schemas.ids import matched_event_id
from schemas.looks import ImageReference, LayerMatch, Look, LookMatches, MatchedProduct
from schemas.rerank import RerankMethod


async def match_look(look: Look, parts: MatchParts, budget: Budget) -> LookMatches:
    """The one event that ``look`` ends with; says so when nothing fits or time is up.

    Raises Unavailable when the picture's host, the index or the ledger cannot be reached now: the
    look is to be tried again.
    """
    journal = Journal()
    try:
        with journal.stage("fetch"):
            pictures = await _fetch(look, parts, budget, journal)
        key = cache_key(look, pictures, parts)
        with journal.stage("recall"):
            known = await lookup(key, parts)
        if known is not None:
            return _event(look, parts, journal, known.layers, _nothing(known.layers), cached=True)
        layers = await detect_layers(look, pictures, parts, budget, journal)
        matches = await gather_or_cancel(
            match_layer(layer, look, parts, budget, journal) for layer in layers
        )
    except ImageRefused as refused:
        return _event(look, parts, journal, refused=refused)
    except DeadlineExceeded as late:
        journal.degrade("look", "deadline")
        return _event(look, parts, journal, refused=late)
    result = _event(look, parts, journal, matches, _nothing(matches))
    await store(key, result, parts)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class RankedLayer:
    """A layer with all that may be shown for it, best first."""

    layer: Layer
    description: LayerDescription
    ranked: list[Ranked]
    relaxed: tuple[str, ...]
    features: dict[str, float]
    """What the confidence is made of; empty when ``ranked`` is."""


async def match_layer(
    layer: Layer, look: Look, parts: MatchParts, budget: Budget, journal: Journal
) -> LayerMatch:
    """What one layer ends with; ``abstained="deadline"`` when its time is up."""
    try:
        async with budget.enforced("layer"):
            found = await rank_layer(layer, look, parts, budget, journal)
    except DeadlineExceeded as late:
        journal.degrade("layer", late)
        return LayerMatch(
            layer=layer.department,
            query=layer.description.query if layer.description else "",
            region=layer.located.region if layer.located else None,
            abstained="deadline",
        )
    return _layer_match(found, parts)


async def rank_layer(
    layer: Layer, look: Look, parts: MatchParts, budget: Budget, journal: Journal
) -> RankedLayer:
    """Describe, vectorize, retrieve and select, rerank; and weigh what speaks for the best."""
    with journal.stage("describe"):
        description = layer.description or await _tags(layer, parts)
    with journal.stage("vectorize"):
        text = await parts.encoder.encode_text(description.query)
        vector = fuse(text, layer.region, parts.settings.queries, parts.settings.text_weight)
    with journal.stage("retrieve"):
        choices, relaxed = await find(vector, layer.department, look, parts, journal)
    with journal.stage("rerank"):
        ranked = await _rerank(choices, description, layer, parts, budget, journal)
    with journal.stage("abstain"):
        evidence = (
            await confidence_features(ranked, description, text, layer.region, parts.tagger)
            if ranked
            else {}
        )
    return RankedLayer(layer, description, ranked, relaxed, evidence)


def _layer_match(found: RankedLayer, parts: MatchParts) -> LayerMatch:
    layer, ranked = found.layer, found.ranked
    by_model = layer.description is not None
    sure = parts.calibration.confidence(found.features, by_model=by_model) if ranked else 0.0
    abstained = _abstention(ranked, sure, parts.settings.abstain_below)
    shown = [] if abstained else ranked[: parts.settings.products_per_layer]
    return LayerMatch(
        layer=layer.department,
        query=found.description.query,
        region=layer.located.region if layer.located else None,
        products=tuple(
            MatchedProduct(
                rank=rank,
                score=entry.score,
                similarity=entry.choice.offer.candidate.similarity,
                product=product_of(entry.choice.offer.entry),
            )
            for rank, entry in enumerate(shown, start=1)
        ),
        abstained=abstained,
        relaxed=found.relaxed,
        folded=sum(entry.choice.folded for entry in shown),
        confidence=sure,
    )


async def _fetch(look: Look, parts: MatchParts, budget: Budget, journal: Journal) -> list[Picture]:
    """The look's picture, then those of its reference pictures that could be had."""

    async def fetch(reference: ImageReference) -> Picture | None:
        try:
            return await parts.pictures.fetch(reference)
        except ImageRefused as refused:
            if reference is look.image:
                raise
            journal.degrade("reference", refused)
            return None

    async with budget.enforced("fetch"):
        fetched = await gather_or_cancel(map(fetch, (look.image, *look.reference_images)))
    return [picture for picture in fetched if picture is not None]


async def _tags(layer: Layer, parts: MatchParts) -> LayerDescription:
    if layer.region is None:
        raise ValueError("a layer that the segmenter has found has a region")
    return await parts.tagger.describe(layer.department, layer.region)


async def _rerank(
    choices: Sequence[Choice],
    description: LayerDescription,
    layer: Layer,
    parts: MatchParts,
    budget: Budget,
    journal: Journal,
) -> list[Ranked]:
    method = parts.settings.rerank_method(layer.department)
    if method is RerankMethod.NONE:
        return by_retrieval(choices)
    region = None if parts.settings.queries == "text" else layer.region
    ranked = by_similarity(choices, region, description, parts.settings.attribute_weight)
    if not method.asks_model or parts.vlm is None or layer.crop is None or not ranked:
        return ranked
    top = parts.settings.products_per_layer
    judged = await by_model(
        ranked[:top],
        description.query,
        layer.crop,
        parts.vlm,
        method,
        parts.settings.rerank_weight,
        parts.thumbnails,
        budget.share(parts.settings.rerank_share),
        journal,
    )
    if judged is not None:
        return [*judged, *ranked[top:]]
    if parts.cutter is None:
        return ranked
    cut_out = await by_segment(
        choices,
        layer,
        description,
        parts.settings.attribute_weight,
        parts.cutter,
        parts.encoder,
        budget.share(parts.settings.rerank_share),
        journal,
    )
    return ranked if cut_out is None else cut_out


def _abstention(ranked: Sequence[Ranked], sure: float, threshold: float) -> str | None:
    if not ranked:
        return "nothing-found"
    return "below-threshold" if sure < threshold else None


def _nothing(layers: Sequence[LayerMatch]) -> LookSyncError | None:
    """The refusal of a look in which no layer was found."""
    if layers:
        return None
    return Rejected("no garment was found in the picture", reason="no-garment-found")


def _event(
    look: Look,
    parts: MatchParts,
    journal: Journal,
    layers: Sequence[LayerMatch] = (),
    refused: LookSyncError | None = None,
    *,
    cached: bool = False,
) -> LookMatches:
    models = {"encoder": parts.encoder.fingerprint}
    if parts.vlm is not None:
        models["vlm"] = parts.vlm.fingerprint
    return LookMatches(
        event_id=matched_event_id(look.look_id),
        look_id=look.look_id,
        user_id=look.user_id,
        market=look.market,
        layers=tuple(layers),
        refused=refused.reason if refused else None,
        refused_because=str(refused) if refused else None,
        degraded=tuple(journal.degraded),
        models=models,
        index_generation=parts.index.generation,
        timings_ms=journal.timings_ms(),
        cached=cached,
        matched_at=datetime.now(UTC),
    )
