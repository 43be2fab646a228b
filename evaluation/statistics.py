"""Ranking metrics and their uncertainty.

All scores lie between 0 and 1. A figure is the mean score over layers, with a 95 % percentile
bootstrap interval. The bootstrap resamples looks, not layers (a cluster bootstrap), because the
layers of one look share its person, scene and filters and are not independent (Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
BINS = 10
_LEVEL = 0.95
_BOOTSTRAP_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % confidence interval; all None without a sample."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Layers."""


def hit_at(ranked: Sequence[str], true: Collection[str], k: int) -> float:
    """Return 1 when one of the first ``k`` keys is true, else 0."""
    return float(any(key in true for key in ranked[:k]))


def reciprocal_rank(ranked: Sequence[str], true: Collection[str]) -> float:
    """Return 1 / rank of the first true key; 0 without one."""
    for rank, key in enumerate(ranked, start=1):
        if key in true:
            return 1.0 / rank
    return 0.0


def calibration_error(probabilities: Sequence[float], outcomes: Sequence[bool]) -> float | None:
    """The expected calibration error (ECE): over ten bins of equal width, the mean distance
    between probability and observed frequency, weighted by the bins' sizes (Guo et al. 2017,
    On Calibration of Modern Neural Networks, equation 3). None without a sample.
    """
    if not probabilities:
        return None
    predicted, observed = np.array(probabilities), np.array(outcomes, dtype=float)
    bins = np.minimum((predicted * BINS).astype(int), BINS - 1)
    gaps = [
        abs(float(predicted[bins == one].sum() - observed[bins == one].sum()))
        for one in range(BINS)
    ]
    return sum(gaps) / len(predicted)


def estimate(scores: Iterable[tuple[str, float]]) -> Estimate:
    """Estimate the mean of (look_id, score) pairs, one per layer.

    When all scores are equal the interval has no width, however small n is.
    """
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for look, score in scores:
        sums[look] = sums.get(look, 0.0) + score
        counts[look] = counts.get(look, 0) + 1
    n = sum(counts.values())
    if n == 0:
        return Estimate(None, None, None, 0)
    per_look = np.array([[sums[look], counts[look]] for look in sums])  # (looks, 2), float64
    looks = len(per_look)
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    drawn = rng.multinomial(looks, np.full(looks, 1.0 / looks), size=RESAMPLES)
    resampled = drawn @ per_look  # (RESAMPLES, 2): sum of scores, number of layers
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(resampled[:, 0] / resampled[:, 1], [tail, 100 - tail])
    mean = per_look[:, 0].sum() / n
    return Estimate(float(mean), float(low), float(high), n)
