"""Garments as rows of integers, so that equality and agreement with a caption are array
operations."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sandbox.world import (
    ATTRIBUTES,
    COLOURS,
    LABELS,
    LENGTHS,
    NECKLINES,
    PATTERNS,
    SLEEVES,
    TYPES,
    Garment,
)

Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NONE = -1
"""The garment has no such attribute."""
HIDDEN = -2
"""The picture doesn't show it."""


def _choices(table: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for values in table.values() for value in values))


VALUES: dict[str, tuple[str, ...]] = {
    "department": LABELS,
    "type": TYPES,
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "second_colour": tuple(COLOURS),
    "sleeve": _choices(SLEEVES),
    "length": _choices(LENGTHS),
    "neckline": _choices(NECKLINES),
}


def encode(garment: Garment) -> list[int]:
    """One integer per attribute; HIDDEN where the type has the attribute but the garment does not
    say it."""
    row: list[int] = []
    for name in ATTRIBUTES:
        value = getattr(garment, name)
        if value is not None:
            row.append(VALUES[name].index(value))
        else:
            row.append(HIDDEN if name == "sleeve" and garment.type in SLEEVES else NONE)
    return row


def nothing(label: int) -> list[int]:
    """The row of a picture that shows no garment but `LABELS[label]`."""
    return [label] + [NONE] * (len(ATTRIBUTES) - 1)


def claims_mask(claims: frozenset[str]) -> list[bool]:
    """A mask of the attributes that a caption states."""
    return [name in claims for name in ATTRIBUTES]


def agreement(stated: Codes, claimed: Flags, seen: Codes) -> tuple[Flags, Flags]:
    """Whether statements (n, 8) are true of pictures (m, 8): two n x m arrays (true, open).

    A statement about a hidden attribute is open: neither true nor false. HIDDEN in a statement
    states nothing.
    """
    states = claimed & (stated != HIDDEN)
    equal = stated[:, None, :] == seen[None, :, :]
    unknown = seen[None, :, :] == HIDDEN
    irrelevant = ~states[:, None, :]
    true = (equal | irrelevant).all(-1)
    possible = (equal | irrelevant | unknown).all(-1)
    return true, possible & ~true
