"""The write operations of a vector store, as its batches carry them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from operators.ports import IndexedAttributes, Vector

NORM_TOLERANCE = 1e-3
"""Larger than the error of half precision and renormalisation."""


@dataclass(frozen=True, slots=True, eq=False)
class Upsert:
    """Insert or replace the product."""

    key: str
    vector: Vector
    attributes: IndexedAttributes


@dataclass(frozen=True, slots=True)
class Patch:
    """Replace the attributes, if the product exists."""

    key: str
    attributes: IndexedAttributes


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the product, if it exists."""

    key: str


Write: TypeAlias = Upsert | Patch | Delete


def validate_vector(vector: Vector, dimension: int) -> Vector:
    """``vector`` as little-endian float32. Raises ValueError unless its shape is (dimension,) and
    its norm 1."""
    if vector.shape != (dimension,):
        raise ValueError(f"vector of shape {vector.shape}; this index needs ({dimension},)")
    norm = float(np.linalg.norm(vector))
    if not abs(norm - 1.0) <= NORM_TOLERANCE:  # also true for nan
        raise ValueError(f"vector of norm {norm}; the norm must be 1")
    return vector.astype("<f4", copy=False)


def rounds_of_keys(keys: Sequence[str]) -> list[list[int]]:
    """Positions of ``keys`` in rounds: each key at most once per round, in its order."""
    rounds: list[list[int]] = []
    seen: Counter[str] = Counter()
    for position, key in enumerate(keys):
        if seen[key] == len(rounds):
            rounds.append([])
        rounds[seen[key]].append(position)
        seen[key] += 1
    return rounds
