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
from numpy.typing import NDArray

RESAMPLES = 2000
BINS = 10
_INTERVAL = (2.5, 97.5)
"""Percentiles."""
_BOOTSTRAP_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % confidence interval; all None without a sample."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Layers; of a calibration error: pairs."""


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


def estimate_calibration(samples: Iterable[tuple[str, float, bool]]) -> Estimate:
    """Estimate the ECE of (look_id, probability, outcome), as :func:`calibration_error` defines it.

    Chance alone makes an ECE larger than 0, and resampling adds chance: its interval lies rather
    too high than too low.
    """
    looks: dict[str, int] = {}
    rows, places, gaps = [], [], []
    for look, probability, outcome in samples:
        rows.append(looks.setdefault(look, len(looks)))
        places.append(min(int(probability * BINS), BINS - 1))
        gaps.append(probability - outcome)
    if not rows:
        return Estimate(None, None, None, 0)
    sums = np.zeros((len(looks), BINS + 1))  # per look: the gap in each bin, and the samples
    np.add.at(sums, (rows, places), gaps)
    np.add.at(sums, (rows, BINS), 1)

    def error(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.abs(drawn[:, :BINS]).sum(1) / drawn[:, BINS])

    low, high = np.percentile(error(_resample(sums)), _INTERVAL)
    value = error(sums.sum(0, keepdims=True))[0]
    return Estimate(float(value), float(low), float(high), len(rows))


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
    resampled = _resample(per_look)  # (RESAMPLES, 2): sum of scores, number of layers
    low, high = np.percentile(resampled[:, 0] / resampled[:, 1], _INTERVAL)
    mean = per_look[:, 0].sum() / n
    return Estimate(float(mean), float(low), float(high), n)


def _resample(per_look: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over as many looks as ``per_look`` has rows, drawn with replacement: shape
    (RESAMPLES, columns)."""
    looks = len(per_look)
    rng = np.random.default_rng(_BOOTSTRAP_SEED)
    drawn = rng.multinomial(looks, np.full(looks, 1.0 / looks), size=RESAMPLES)
    return np.asarray(drawn @ per_look)
