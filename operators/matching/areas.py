"""Connected areas of a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas.looks import Region

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in cells; the last two are exclusive."""


@dataclass(slots=True, eq=False)
class _Run:
    """Neighbouring cells of one row."""

    start: int
    end: int
    area: int
    """The number of the first cell of its area, as far as the mask has been read."""


def connected_areas(mask: NDArray[np.bool_]) -> list[Region]:
    """The boxes of the areas of True cells that touch above, below or beside each other, in the
    order of their first cells, row by row. ``mask``: shape (rows, columns).

    Joins each run of a row with those above it: a flood fill in Python takes 20 times as long.
    """
    rows, columns = mask.shape
    padded = np.pad(mask, ((0, 0), (1, 1)))
    ys, xs = np.nonzero(padded[:, 1:] != padded[:, :-1])  # where runs start and end, in turn
    boxes: dict[int, Box] = {}
    above: list[_Run] = []
    runs: list[_Run] = []
    last = -1
    for y, start, end in zip(ys[::2].tolist(), xs[::2].tolist(), xs[1::2].tolist(), strict=True):
        if y != last:
            above, runs, last = runs if y == last + 1 else [], [], y
        touching = {run.area for run in above if run.start < end and start < run.end}
        area = min(touching, default=y * columns + start)
        boxes[area] = _around((start, y, end, y + 1), *(boxes.pop(one) for one in touching))
        for run in (*above, *runs):
            if run.area in touching:
                run.area = area
        runs.append(_Run(start, end, area))
    return [
        Region(x0=x0 / columns, y0=y0 / rows, x1=x1 / columns, y1=y1 / rows)
        for _, (x0, y0, x1, y1) in sorted(boxes.items())
    ]


def _around(*boxes: Box) -> Box:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
