"""What is written to a vector store, as its batches carry it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from operators.ports import IndexedAttributes, Vector

NORM_TOLERANCE = 1e-3
"""Half precision and renormalisation leave less."""


@dataclass(frozen=True, slots=True, eq=False)
class Upsert:
    """Put the product, in place of what there was."""

    key: str
    vector: Vector
    attributes: IndexedAttributes


@dataclass(frozen=True, slots=True)
class Patch:
    """Replace the attributes, if the product is there."""

    key: str
    attributes: IndexedAttributes


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the product, if it is there."""

    key: str


Write: TypeAlias = Upsert | Patch | Delete


def checked(vector: Vector, dimension: int) -> Vector:
    """``vector`` as little-endian float32; ValueError when it breaks the port's contract."""
    if vector.shape != (dimension,):
        raise ValueError(f"a vector of shape {vector.shape} in an index of {dimension}")
    norm = float(np.linalg.norm(vector))
    if not abs(norm - 1.0) <= NORM_TOLERANCE:  # also catches nan
        raise ValueError(f"a vector of norm {norm}; vectors have norm 1")
    return vector.astype("<f4", copy=False)
