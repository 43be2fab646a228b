"""From a layer's query and region to the vector that is searched with."""

from __future__ import annotations

from typing import Literal

import numpy as np

from operators.ports import Vector

Mode = Literal["text", "region", "fused"]


def fuse(text: Vector, region: Vector | None, mode: Mode, text_weight: float) -> Vector:
    """The query vector: ``text``, ``region``, or their weighted mean, of unit norm.

    ``text_weight`` in 0..1 is the text's share of the mean. A layer without a region (named by
    the vision-language model, not found in the picture) is searched by its text.
    """
    if region is None or mode == "text":
        return text
    if mode == "region":
        return region
    mean = text_weight * text + (1 - text_weight) * region
    norm = float(np.linalg.norm(mean))
    if norm < 1e-6:  # opposite vectors of equal weight leave no direction; the picture decides
        return region
    return np.asarray(mean / norm, dtype=np.float32)
