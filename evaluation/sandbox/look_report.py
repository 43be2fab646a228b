"""Evaluate the look flow against the truth: events, latency and match quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluation.sandbox.agreement import differences
from evaluation.statistics import (
    Estimate,
    calibration_error,
    estimate,
    hit_at,
    reciprocal_rank,
)
from sandbox.life import LookTruth, ProductTruth, Truth
from sandbox.world import ATTRIBUTES, DEPARTMENTS
from schemas.looks import LayerMatch, LookMatches
from schemas.records import Record

HITS = 10


@dataclass(frozen=True, slots=True)
class JudgedLayer:
    """One layer of one look: the truth, and the products shown."""

    look_id: str
    department: str
    kind: str | None
    """exact, near or absent; None when reported but not worn."""
    reported: bool
    ranked: tuple[str, ...]
    """Keys of the products shown, best first; empty when the layer abstained."""
    true: frozenset[str]
    differences: int | None
    """Between the garment worn and the first product shown; None without both."""
    same_item: float | None
    """The probability given that the first product shown is the very item; None without one."""
    same_kind: float | None
    """That it is of the layer's kind."""
    of_kind: bool
    """Whether the first product shown is of the garment's type."""


@dataclass(frozen=True, slots=True)
class LookReport:
    """Figures of the look flow; :func:`quality` defines ``quality``."""

    requested: int
    """Different looks that were sent."""
    events: int
    """Records on looks.matched."""
    missing: int
    """Looks without an event."""
    duplicated: int
    """Events beyond the first of their look."""
    unexpected: int
    """Events of looks that were not sent."""
    dead: int
    """Records on the look flow's dead-letter topic."""
    refused: int
    degraded: dict[str, int]
    """stage:cause -> looks."""
    p50_ms: float | None
    p95_ms: float | None
    stages_ms: dict[str, float]
    """Median per stage."""
    quality: dict[str, Estimate]
    calibration_error: dict[str, float | None]
    """ECE of ``same_item`` and ``same_kind`` of the first products shown."""
    per_department: dict[str, dict[str, Estimate]] = field(default_factory=dict)


def look_report(
    truth: Truth, matches: Iterable[Record], dead_letters: Iterable[Record] = ()
) -> LookReport:
    """Evaluate the records of looks.matched. A look without an event counts with all its layers.

    Latency is ``timings_ms["total"]``, or the sum of the stages where it is missing.
    """
    records = list(matches)
    first = first_events(records)
    asked = {look.look_id for look in truth.looks}
    events = [event for look_id, event in first.items() if look_id in asked]
    layers = judge(truth, first)
    totals = [_total_ms(event) for event in events if event.timings_ms]
    return LookReport(
        requested=len(asked),
        events=len(records),
        missing=len(asked - first.keys()),
        duplicated=len(records) - len(first),
        unexpected=len(first.keys() - asked),
        dead=sum(1 for _ in dead_letters),
        refused=sum(event.refused is not None for event in events),
        degraded=dict(Counter(cause for event in events for cause in event.degraded)),
        p50_ms=_percentile(totals, 50),
        p95_ms=_percentile(totals, 95),
        stages_ms=_stage_medians(events),
        quality=quality(layers),
        calibration_error=calibration_errors(layers),
        per_department={
            department: quality([one for one in layers if one.department == department])
            for department in DEPARTMENTS
        },
    )


def first_events(matches: Iterable[Record]) -> dict[str, LookMatches]:
    """By look_id, the first event of every look on looks.matched."""
    first: dict[str, LookMatches] = {}
    for record in matches:
        event = LookMatches.model_validate_json(record.value)
        first.setdefault(event.look_id, event)
    return first


def judge(truth: Truth, matches: dict[str, LookMatches]) -> list[JudgedLayer]:
    """Every layer worn in a look of the truth, and every layer reported for one."""
    judged = []
    for look in truth.looks:
        event = matches.get(look.look_id)
        reported = {str(match.layer): match for match in event.layers} if event else {}
        for department in sorted(look.layers.keys() | reported.keys()):
            match = reported.get(department)
            judged.append(_judge_layer(look, department, match, truth.products))
    return judged


def quality(layers: Sequence[JudgedLayer]) -> dict[str, Estimate]:
    """The figures, each a mean over layers.

    - ``exact_hit_at_1``, ``exact_hit_at_10``, ``exact_mrr``: over all exact layers, whether a
      true product is first, is among the first ten, and 1 / its rank among them. A layer that was
      not found or abstained scores 0.
    - ``exact_wrongly_abstained``: share of the exact layers for which nothing is shown.
    - ``near_attribute_agreement``: over the near layers for which something is shown, the share
      of the eight attributes of a garment in which the first product does not differ from what
      is seen. As a near product differs in one attribute, 7/8 is the maximum.
    - ``near_closest_first``: share of those layers whose first product differs in one attribute
      only: nothing closer is in the catalog.
    - ``near_abstained``: share of the near layers for which nothing is shown.
    - ``absent_abstained``: share of the absent layers for which nothing is shown.
    - ``false_matches_shown``: of the layers for which something is shown, the share that is
      absent from the catalog or not worn at all.
    - ``layer_precision``: share of the layers reported that are worn; ``layer_recall``: share of
      the layers worn that are reported (abstained or not).
    """
    exact = [one for one in layers if one.kind == "exact"]
    near = [one for one in layers if one.kind == "near"]
    absent = [one for one in layers if one.kind == "absent"]
    shown = [one for one in layers if one.ranked]

    def mean(pairs: Iterable[tuple[JudgedLayer, float]]) -> Estimate:
        return estimate((one.look_id, score) for one, score in pairs)

    return {
        "exact_hit_at_1": mean((one, hit_at(one.ranked, one.true, 1)) for one in exact),
        "exact_hit_at_10": mean((one, hit_at(one.ranked, one.true, HITS)) for one in exact),
        "exact_mrr": mean((one, reciprocal_rank(one.ranked[:HITS], one.true)) for one in exact),
        "near_attribute_agreement": mean(
            (one, 1 - one.differences / len(ATTRIBUTES))
            for one in near
            if one.differences is not None
        ),
        "near_closest_first": mean(
            (one, float(one.differences <= 1)) for one in near if one.differences is not None
        ),
        "absent_abstained": mean((one, float(not one.ranked)) for one in absent),
        "layer_precision": mean(
            (one, float(one.kind is not None)) for one in layers if one.reported
        ),
        "layer_recall": mean((one, float(one.reported)) for one in layers if one.kind is not None),
        "exact_wrongly_abstained": mean((one, float(not one.ranked)) for one in exact),
        "near_abstained": mean((one, float(not one.ranked)) for one in near),
        "false_matches_shown": mean((one, float(one.kind in (None, "absent"))) for one in shown),
    }


def calibration_errors(layers: Sequence[JudgedLayer]) -> dict[str, float | None]:
    """The expected calibration error of both probabilities of the first products shown."""
    items = [(one.same_item, hit_at(one.ranked, one.true, 1) == 1.0) for one in layers]
    kinds = [(one.same_kind, one.of_kind) for one in layers]
    return {
        name: calibration_error(
            [probability for probability, _ in pairs if probability is not None],
            [outcome for probability, outcome in pairs if probability is not None],
        )
        for name, pairs in (("same_item", items), ("same_kind", kinds))
    }


def _judge_layer(
    look: LookTruth,
    department: str,
    match: LayerMatch | None,
    products: dict[str, ProductTruth],
) -> JudgedLayer:
    known = look.layers.get(department)
    ranked: tuple[str, ...] = ()
    if match is not None and match.abstained is None:
        ranked = tuple(found.product.key for found in match.products)
    differing = None
    top = products.get(ranked[0]) if ranked else None
    if known is not None and ranked:
        differing = (
            differences(known.garment.garment(), top.garment.garment()) if top else len(ATTRIBUTES)
        )
    return JudgedLayer(
        look_id=look.look_id,
        department=department,
        kind=known.kind if known else None,
        reported=match is not None,
        ranked=ranked,
        true=frozenset(known.products) if known else frozenset(),
        differences=differing,
        same_item=match.products[0].same_item if match is not None and ranked else None,
        same_kind=match.products[0].same_kind if match is not None and ranked else None,
        of_kind=known is not None and top is not None and top.garment.type == known.garment.type,
    )


def _total_ms(event: LookMatches) -> float:
    return event.timings_ms.get("total", sum(event.timings_ms.values()))


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None


def _stage_medians(events: Iterable[LookMatches]) -> dict[str, float]:
    stages: dict[str, list[float]] = {}
    for event in events:
        for stage, milliseconds in event.timings_ms.items():
            stages.setdefault(stage, []).append(milliseconds)
    return {stage: float(np.median(values)) for stage, values in stages.items()}
