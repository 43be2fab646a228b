"""The connected areas of a mask."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from numpy.typing import NDArray

from operators.matching.areas import connected_areas
from schemas.looks import Region

MASKS = stn.arrays(np.bool_, stn.array_shapes(min_dims=2, max_dims=2, max_side=12))
"""Half of the cells of a large one are True: winding areas, holes, areas inside others."""


def flooded(mask: NDArray[np.bool_]) -> list[Region]:
    """The same by flooding each area from its first cell."""
    rows, columns = mask.shape
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    boxes = []
    while left:
        area, edge = set[tuple[int, int]](), {min(left)}
        while edge:
            area |= edge
            near = {
                (y + dy, x + dx) for y, x in edge for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
            }
            edge = (near & left) - area
        left -= area
        ys, xs = zip(*area, strict=True)
        boxes.append(
            Region(
                x0=min(xs) / columns,
                y0=min(ys) / rows,
                x1=(max(xs) + 1) / columns,
                y1=(max(ys) + 1) / rows,
            )
        )
    return boxes


@given(MASKS)
def test_areas_are_those_that_a_flood_reaches(mask: NDArray[np.bool_]) -> None:
    assert connected_areas(mask) == flooded(mask)


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_full_mask_is_one_area_and_an_empty_one_none(rows: int, columns: int) -> None:
    full = np.ones((rows, columns), dtype=np.bool_)
    assert connected_areas(full) == [Region(x0=0.0, y0=0.0, x1=1.0, y1=1.0)]
    assert connected_areas(~full) == []


def test_cells_that_meet_at_a_corner_are_apart() -> None:
    assert len(connected_areas(np.eye(3, dtype=np.bool_))) == 3
