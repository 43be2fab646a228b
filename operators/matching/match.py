"""Match one look: from a picture to products, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PIL.Image import Image

from operators.budget import Budget
from operators.concurrency import gather_or_cancel
from operators.matching.layers import Layer, detect_layers
from operators.matching.look_event import look_event
from operators.matching.look_run import LookRun
from operators.matching.parts import MatchParts
from operators.matching.person import Subject, find_subject
from operators.matching.rank import RankedLayer, WeighedProduct, rank_layer, weigh
from operators.matching.result_cache import cache_key, lookup, store
from operators.ports import Picture
from operators.vocabulary.views import product_of
from schemas.errors import DeadlineExceeded, ImageRefused, LookSyncError, Rejected
from schemas.looks import (
    ImageReference,
    LayerMatch,
    Look,
    LookMatches,
    MatchedProduct,
    ProductOutcome,
    Region,
)
from schemas.settings import MatchingSettings

UNFAMILIAR = "unfamiliar-picture"
"""Why a look is degraded whose picture the encoder was not trained for."""


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
            return _matched(run, known.layers, known.person, cached=True)
        subject = await find_subject(run, pictures[0].image)
        await _note_unfamiliar(run, subject.image)
        shown = [subject.shown_in(pictures[0]), *pictures[1:]]
        layers = await detect_layers(run, shown, subject.person_shown())
        matches = await gather_or_cancel(match_layer(run, layer, subject) for layer in layers)
    except (ImageRefused, DeadlineExceeded) as error:
        return look_event(look, parts, run.journal, refused=error)
    result = _matched(run, matches, subject.person)
    await store(key, result, parts)
    return result


async def _note_unfamiliar(run: LookRun, picture: Image) -> None:
    """Degrade the look when its picture is unlike those that the encoder was trained on."""
    familiarity = run.parts.familiarity
    if familiarity is not None:
        async with run.budget.enforced("familiarity"):
            if not await familiarity.knows(picture, run.parts.encoder):
                run.journal.degrade("encoder", UNFAMILIAR)


async def match_layer(run: LookRun, layer: Layer, subject: Subject) -> LayerMatch:
    """The result for one layer; ``abstained="deadline"`` when its time is up."""
    try:
        async with run.budget.enforced("layer"):
            ranked = await rank_layer(run, layer)
    except DeadlineExceeded as error:
        run.journal.degrade("layer", error)
        return LayerMatch(
            layer=layer.department,
            query=layer.description.query if layer.description else "",
            region=_region(layer, subject),
            outcome="none",
            abstained="deadline",
        )
    return _layer_match(ranked, run.parts, run.now, subject)


def _region(layer: Layer, subject: Subject) -> Region | None:
    return subject.region_in_look(layer.located.region) if layer.located else None


def _layer_match(
    ranked: RankedLayer, parts: MatchParts, now: datetime, subject: Subject
) -> LayerMatch:
    layer, settings = ranked.layer, parts.settings
    weighed = weigh(ranked, parts.calibration)
    shown = _worth_showing(weighed, settings)
    abstained = None if shown else "below-threshold" if weighed else "nothing-found"
    best = shown[0] if shown else weighed[0] if weighed else None
    kinds = [one.same_kind for one in weighed if one.same_kind is not None]
    return LayerMatch(
        layer=layer.department,
        query=ranked.description.query,
        region=_region(layer, subject),
        products=tuple(
            MatchedProduct(
                rank=rank,
                score=one.product.score,
                similarity=one.product.similarity,
                outcome=_outcome(one, settings.exact_from),
                same_item=one.same_item,
                same_kind=one.same_kind,
                product=product_of(one.product.entry, now),
            )
            for rank, one in enumerate(shown, start=1)
        ),
        outcome=_outcome(shown[0], settings.exact_from) if shown else "none",
        abstained=abstained,
        relaxed=ranked.relaxed,
        folded=sum(one.product.folded for one in shown),
        confidence=best.same_item or 0.0 if best else 0.0,
        kind_confidence=max(kinds, default=None),
    )


def _worth_showing(
    weighed: Sequence[WeighedProduct], settings: MatchingSettings
) -> list[WeighedProduct]:
    """The products of the layer's kind, if one is so with probability ``abstain_below``. Where the
    kind is unknown, all of them, if the best one is the very item with this probability, or if even
    that is unknown.
    """
    kinds = [one.same_kind for one in weighed if one.same_kind is not None]
    if kinds:
        if max(kinds) < settings.abstain_below:
            return []
        return [one for one in weighed if (one.same_kind or 0.0) >= settings.list_from]
    best = weighed[0].same_item if weighed else 0.0
    return [*weighed] if best is None or best >= settings.abstain_below else []


def _outcome(one: WeighedProduct, exact_from: float) -> ProductOutcome:
    return "exact" if one.same_item is not None and one.same_item >= exact_from else "similar"


def _matched(
    run: LookRun, layers: Sequence[LayerMatch], person: Region | None, *, cached: bool = False
) -> LookMatches:
    no_garment: LookSyncError | None = None
    if not layers:
        no_garment = Rejected("no garment was found in the picture", reason="no-garment-found")
    event = look_event(
        run.look, run.parts, run.journal, layers=layers, refused=no_garment, cached=cached
    )
    return event.model_copy(update={"person": person})


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
