"""Rank the products of one layer: describe, vectorize, retrieve, rerank, weigh the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operators.matching.calibration import Calibration, CatalogEvidence
from operators.matching.candidates import find_candidates
from operators.matching.catalog_evidence import product_features, voted_description
from operators.matching.confidence_features import confidence_features
from operators.matching.diversity import diversify
from operators.matching.layers import Layer
from operators.matching.look_run import LookRun
from operators.matching.ranked_product import RankedProduct
from operators.matching.rerank import by_model, by_retrieval, by_segment, by_similarity, capped
from operators.matching.vectorize import fuse
from operators.ports import LayerDescription, Vector
from schemas.rerank import RerankMethod


@dataclass(frozen=True, slots=True, eq=False)
class RankedLayer:
    """A layer with all products that may be shown for it, best first."""

    layer: Layer
    description: LayerDescription
    products: list[RankedProduct]
    relaxed: tuple[str, ...]
    """Names of the inferred preferences that were relaxed, in order."""
    features: list[dict[str, float]]
    """The confidences' features of the best ``products_per_layer`` products; each empty when the
    encoder is uncalibrated."""
    voted: bool = False
    """Whether the nearest products described the layer: their features are those of
    operators.matching.catalog_evidence."""


@dataclass(frozen=True, slots=True, eq=False)
class WeighedProduct:
    """A ranked product and what it is to the layer, as probabilities (0..1)."""

    product: RankedProduct
    same_item: float | None
    """None: the encoder is uncalibrated."""
    same_kind: float | None
    """None: the calibration does not know."""


def weigh(ranked: RankedLayer, calibration: Calibration) -> list[WeighedProduct]:
    """The best products, in their order, with their calibrated probabilities."""
    evidence = calibration.catalog
    if ranked.voted and evidence is not None:
        return [
            _weigh_by_catalog(product, features, evidence)
            for product, features in zip(ranked.products, ranked.features, strict=False)
        ]
    by_model = ranked.layer.description is not None
    if not calibration.fitted(by_model=by_model):
        shown = ranked.products[: len(ranked.features)]
        return [WeighedProduct(product, None, None) for product in shown]
    return [
        WeighedProduct(
            product,
            calibration.confidence(features, by_model=by_model),
            calibration.kind_confidence(features, by_model=by_model),
        )
        for product, features in zip(ranked.products, ranked.features, strict=False)
    ]


def _weigh_by_catalog(
    product: RankedProduct, features: Mapping[str, float], evidence: CatalogEvidence
) -> WeighedProduct:
    item = evidence.same_item.probability(features)
    return WeighedProduct(product, item, max(item, evidence.same_kind.probability(features)))


async def rank_layer(run: LookRun, layer: Layer) -> RankedLayer:
    """Rank the layer's products and compute the confidence features of the best ones."""
    if not layer.words_fit and layer.description is None and layer.region is not None:
        return await _rank_by_vote(run, layer, layer.region)
    journal, parts = run.journal, run.parts
    with journal.stage("describe"):
        description = layer.description or await _describe_by_tagger(run, layer)
    with journal.stage("vectorize"):
        reads_text = parts.encoder.reads_text
        text = await parts.encoder.encode_text(description.query) if reads_text else None
        vector = fuse(text, layer.region, parts.settings.queries, parts.settings.text_weight)
    if vector is None:
        journal.degrade("regions", "not-found")
        return RankedLayer(layer, description, [], (), [])
    with journal.stage("retrieve"):
        products, relaxed = await find_candidates(run, layer.department, vector)
    with journal.stage("rerank"):
        products = await _rerank(run, layer, description, products)
        settings = parts.settings
        products = diversify(products, settings.diversity, settings.products_per_layer)
    with journal.stage("abstain"):
        best = products[: parts.settings.products_per_layer]
        features: list[dict[str, float]] = [{} for _ in best]
        fitted = parts.calibration.fitted(by_model=layer.description is not None)
        if fitted and text is not None and parts.tagger is not None:
            features = await confidence_features(
                best, description, text, layer.region, parts.tagger
            )
    return RankedLayer(layer, description, products, relaxed, features)


async def _rank_by_vote(run: LookRun, layer: Layer, region: Vector) -> RankedLayer:
    """The same for a layer that words do not fit: its nearest products describe it."""
    journal, settings = run.journal, run.parts.settings
    with journal.stage("retrieve"):
        products, relaxed = await find_candidates(run, layer.department, region)
    description = voted_description(layer.department, products)
    with journal.stage("rerank"):
        products = await _rerank(run, layer, description, products)
        products = diversify(products, settings.diversity, settings.products_per_layer)
    features = product_features(products[: settings.products_per_layer], region)
    return RankedLayer(layer, description, products, relaxed, features, voted=True)


async def _describe_by_tagger(run: LookRun, layer: Layer) -> LayerDescription:
    assert layer.region is not None, "a layer without a description was located"
    assert run.parts.tagger is not None, "layers are located by an encoder that reads text"
    return await run.parts.tagger.describe(layer.department, layer.region)


async def _rerank(
    run: LookRun,
    layer: Layer,
    description: LayerDescription,
    products: Sequence[RankedProduct],
) -> list[RankedProduct]:
    """Order by the layer's method; fall back to the segment, then to similarity."""
    parts, settings = run.parts, run.parts.settings
    method = settings.rerank_method(layer.department)
    if method is RerankMethod.NONE:
        return by_retrieval(products)
    region = None if settings.queries == "text" else layer.region
    ranked = by_similarity(products, region, description, settings.attribute_weight)
    if not method.asks_model or parts.vlm is None or layer.crop is None or not ranked:
        return ranked
    top = settings.rerank_candidates
    judged = await by_model(run, ranked[:top], description.query, layer.crop, method, parts.vlm)
    if judged is not None:
        return [*judged, *capped(ranked[top:], judged[-1].score)]
    if parts.query_segmenter is None:
        return ranked
    segmented = await by_segment(run, products, layer, description, parts.query_segmenter)
    return ranked if segmented is None else segmented
