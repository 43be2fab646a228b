"""Garments as rows of integers, so that "the same" and "a true caption" become array operations."""

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
    """One integer per attribute; what the type has but the garment doesn't say is HIDDEN."""
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
    """Which attributes a caption states."""
    return [name in claims for name in ATTRIBUTES]


def agreement(stated: Codes, claimed: Flags, seen: Codes) -> tuple[Flags, Flags]:
    """Which of the statements (n, 8) are true of which pictures (m, 8): n x m (true, open).

    A statement about something hidden is open: neither true nor false. A HIDDEN value on the
    stating side states nothing.
    """
    states = claimed & (stated != HIDDEN)
    equal = stated[:, None, :] == seen[None, :, :]
    unknown = seen[None, :, :] == HIDDEN
    irrelevant = ~states[:, None, :]
    true = (equal | irrelevant).all(-1)
    possible = (equal | irrelevant | unknown).all(-1)
    return true, possible & ~true
