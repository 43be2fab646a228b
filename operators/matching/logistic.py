"""Logistic regression on named features, for calibrations of a handful of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from operators.matching.calibration import Logistic

RIDGE = 1.0
"""Penalty on standardised weights: separable samples would otherwise have infinite weights."""

STEPS = 50


def fit_logistic(samples: Sequence[Mapping[str, float]], labels: Sequence[bool]) -> Logistic:
    """The maximum of the penalised likelihood, by Newton's method (iteratively reweighted least
    squares; Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 4.4.1).

    A feature that a sample does not have counts 0. Raises ValueError unless both labels occur.
    """
    if len(set(labels)) < 2:
        raise ValueError("a logistic regression needs samples of both labels")
    names = sorted({name for sample in samples for name in sample})
    raw = np.array([[sample.get(name, 0.0) for name in names] for sample in samples])
    centre, spread = raw.mean(0), np.maximum(raw.std(0), 1e-6)
    x = np.column_stack([np.ones(len(raw)), (raw - centre) / spread])
    y = np.array(labels, dtype=np.float64)
    penalty = np.diag([0.0, *[RIDGE] * len(names)])
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (y - p) - penalty @ weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    slopes = weights[1:] / spread
    return Logistic(
        bias=round(float(weights[0] - slopes @ centre), 4),
        weights={name: round(float(slope), 4) for name, slope in zip(names, slopes, strict=True)},
    )
