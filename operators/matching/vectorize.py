"""The query vector of a layer, from its text and its region."""

from __future__ import annotations

from typing import Literal

import numpy as np

from operators.ports import Vector

Mode = Literal["text", "region", "fused"]


def fuse(
    text: Vector | None, region: Vector | None, mode: Mode, text_weight: float
) -> Vector | None:
    """The query vector, unit norm: ``text``, ``region``, or their weighted mean ("fused").

    ``text_weight`` in 0..1 is the text's share of the mean. Without a region (the vision-language
    model named the layer, but it was not located) the text is used, without a text (the encoder
    reads none) the region. None without either.
    """
    if text is None or (mode == "region" and region is not None):
        return region
    if region is None or mode == "text":
        return text
    mean = text_weight * text + (1 - text_weight) * region
    norm = float(np.linalg.norm(mean))
    if norm < 1e-6:  # opposite vectors cancel out
        return region
    return np.asarray(mean / norm, dtype=np.float32)
