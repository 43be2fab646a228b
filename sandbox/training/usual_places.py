"""Where layers usually are on a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.looks import Region


def usual_places(boxes: Sequence[tuple[float, ...]], many: int) -> tuple[Region, ...]:
    """The centres of ``many`` groups of boxes (Lloyd's k-means, started along the x axis)."""
    points = np.array(sorted(boxes))
    centres = points[np.linspace(0, len(points) - 1, min(many, len(points))).round().astype(int)]
    for _ in range(30):
        nearest = ((points[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
        centres = np.array(
            [
                points[nearest == n].mean(0) if (nearest == n).any() else centre
                for n, centre in enumerate(centres)
            ]
        )
    return tuple(_region(centre) for centre in centres)


def _region(box: NDArray[np.float64]) -> Region:
    x0, y0, x1, y1 = (round(float(value), 3) for value in np.clip(box, 0.0, 1.0))
    return Region(x0=x0, y0=y0, x1=x1, y1=y1)
