"""Continuous shades around the named colours of the taxonomy, in CIE Lab."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

RGB = tuple[float, float, float]
"""Each 0..1, sRGB."""
Lab = tuple[float, float, float]

NAMED: Mapping[str, Lab] = {
    "black": (12, 0, -1),
    "white": (95, 0, 2),
    "grey": (57, 0, -1),
    "red": (42, 60, 36),
    "orange": (65, 42, 60),
    "yellow": (83, 2, 66),
    "green": (48, -36, 24),
    "blue": (54, -4, -42),
    "navy": (20, 10, -32),
    "purple": (40, 38, -38),
    "pink": (72, 36, 0),
    "brown": (35, 16, 24),
    "beige": (80, 3, 18),
    "turquoise": (62, -32, -10),
}
"""The centres of the colour families; made up here, not the first world's palette."""

METALS: Mapping[str, Lab] = {"gold": (70, 8, 48), "silver": (76, 0, -2)}
"""Of jewellery, watches and buckles only: as cloth they would be yellow and grey."""

_SPREAD = (6.0, 7.0, 7.0)
"""Standard deviations of L, a and b: about what shops sell under one name."""

_APART = 30.0
"""Least Lab distance of a pattern's second colour."""


def sample_shade(name: str, rng: random.Random) -> RGB:
    """A shade to which no other name is nearer; the centre itself after 40 misses."""
    centre = {**NAMED, **METALS}[name]
    family = METALS if name in METALS else NAMED
    for _ in range(40):
        drawn = tuple(rng.gauss(c, s) for c, s in zip(centre, _SPREAD, strict=True))
        lab = (drawn[0], drawn[1], drawn[2])
        nearest = min(family, key=lambda other: math.dist(family[other], lab))
        if nearest == name and _in_gamut(lab):
            return rgb(lab)
    return rgb(centre)


def second_colour(name: str, rng: random.Random) -> str:
    """A colour name that stands out against ``name``."""
    centre = {**NAMED, **METALS}[name]
    return rng.choice([other for other, lab in NAMED.items() if math.dist(lab, centre) > _APART])


def rgb(lab: Lab) -> RGB:
    """CIE Lab (D65) to sRGB, clipped to 0..1."""
    red, green, blue = (min(max(value, 0.0), 1.0) for value in _linear(lab))
    return _gamma(red), _gamma(green), _gamma(blue)


def _in_gamut(lab: Lab) -> bool:
    return all(-0.02 <= value <= 1.02 for value in _linear(lab))


def _linear(lab: Lab) -> tuple[float, float, float]:
    fy = (lab[0] + 16) / 116
    x, y, z = (
        white * (f**3 if f > 0.2069 else (f - 16 / 116) / 7.787)
        for white, f in ((0.9505, fy + lab[1] / 500), (1.0, fy), (1.089, fy - lab[2] / 200))
    )
    return (
        3.2406 * x - 1.5372 * y - 0.4986 * z,
        -0.9689 * x + 1.8758 * y + 0.0415 * z,
        0.0557 * x - 0.2040 * y + 1.0570 * z,
    )


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
