"""Match one look: from a picture to products, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from operators.budget import Budget
from operators.concurrency import gather_or_cancel
from operators.matching.layers import Layer, detect_layers
from operators.matching.look_event import look_event
from operators.matching.look_run import LookRun
from operators.matching.parts import MatchParts
from operators.matching.rank import RankedLayer, rank_layer
from operators.matching.result_cache import cache_key, lookup, store
from operators.ports import Picture
from operators.vocabulary.views import product_of
from schemas.errors import DeadlineExceeded, ImageRefused, LookSyncError, Rejected
from schemas.looks import ImageReference, LayerMatch, Look, LookMatches, MatchedProduct


async def match_look(look: Look, parts: MatchParts, budget: Budget) -> LookMatches:
    """The event of ``look``; it also reports a refused picture, no garment, or a missed deadline.

    Raises Unavailable when the picture's host, the index or the ledger cannot be reached: the
    caller retries the look.
    """
    run = LookRun(look, parts, budget)
    try:
        with run.journal.stage("fetch"):
            pictures = await _fetch_pictures(run)
        key = cache_key(look, pictures, parts)
        with run.journal.stage("recall"):
            known = await lookup(key, parts)
        if known is not None:
            return _matched(run, known.layers, cached=True)
        layers = await detect_layers(run, pictures)
        matches = await gather_or_cancel(match_layer(run, layer) for layer in layers)
    except (ImageRefused, DeadlineExceeded) as error:
        return look_event(look, parts, run.journal, refused=error)
    result = _matched(run, matches)
    await store(key, result, parts)
    return result


async def match_layer(run: LookRun, layer: Layer) -> LayerMatch:
    """The result for one layer; ``abstained="deadline"`` when its time is up."""
    try:
        async with run.budget.enforced("layer"):
            ranked = await rank_layer(run, layer)
    except DeadlineExceeded as error:
        run.journal.degrade("layer", error)
        return LayerMatch(
            layer=layer.department,
            query=layer.description.query if layer.description else "",
            region=layer.located.region if layer.located else None,
            abstained="deadline",
        )
    return _layer_match(ranked, run.parts, run.now)


def _layer_match(ranked: RankedLayer, parts: MatchParts, now: datetime) -> LayerMatch:
    layer, products = ranked.layer, ranked.products
    by_model = layer.description is not None
    confidence = (
        parts.calibration.confidence(ranked.features, by_model=by_model) if products else 0.0
    )
    abstained = _abstention(ranked, confidence, parts.settings.abstain_below)
    shown = [] if abstained else products[: parts.settings.products_per_layer]
    return LayerMatch(
        layer=layer.department,
        query=ranked.description.query,
        region=layer.located.region if layer.located else None,
        products=tuple(
            MatchedProduct(
                rank=rank,
                score=product.score,
                similarity=product.similarity,
                product=product_of(product.entry, now),
            )
            for rank, product in enumerate(shown, start=1)
        ),
        abstained=abstained,
        relaxed=ranked.relaxed,
        folded=sum(product.folded for product in shown),
        confidence=confidence,
    )


def _abstention(ranked: RankedLayer, confidence: float, threshold: float) -> str | None:
    if not ranked.products:
        return "nothing-found"
    return "below-threshold" if confidence < threshold else None


def _matched(run: LookRun, layers: Sequence[LayerMatch], *, cached: bool = False) -> LookMatches:
    no_garment: LookSyncError | None = None
    if not layers:
        no_garment = Rejected("no garment was found in the picture", reason="no-garment-found")
    return look_event(
        run.look, run.parts, run.journal, layers=layers, refused=no_garment, cached=cached
    )


async def _fetch_pictures(run: LookRun) -> list[Picture]:
    """The look's picture, followed by the reference pictures that were not refused."""

    async def fetch(reference: ImageReference) -> Picture | None:
        try:
            return await run.parts.pictures.fetch(reference)
        except ImageRefused as refused:
            if reference is run.look.image:
                raise
            run.journal.degrade("reference", refused)
            return None

    async with run.budget.enforced("fetch"):
        fetched = await gather_or_cancel(map(fetch, (run.look.image, *run.look.reference_images)))
    return [picture for picture in fetched if picture is not None]
