"""Garments as attributes: which exist in the sandbox world, and when two count as the same.

A `Garment` is the ground truth behind every picture of the world. It is drawn by
`sandbox.world.product` and `sandbox.world.look`, and described by `sandbox.world.wording`.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

RGB = tuple[int, int, int]

DEPARTMENTS: dict[str, tuple[str, ...]] = {
    "headwear": ("cap", "beanie", "sun hat"),
    "eyewear": ("sunglasses", "glasses"),
    "outerwear": ("coat", "jacket", "blazer"),
    "top": ("t-shirt", "shirt", "sweater", "blouse", "tank top"),
    "dress": ("sundress", "shirt dress", "evening gown"),
    "bottom": ("jeans", "trousers", "skirt", "shorts"),
    "bag": ("handbag", "backpack", "tote bag"),
    "footwear": ("sneakers", "boots", "heels", "sandals"),
}
DEPARTMENT_OF: dict[str, str] = {
    kind: name for name, kinds in DEPARTMENTS.items() for kind in kinds
}
TYPES: tuple[str, ...] = tuple(DEPARTMENT_OF)

COLOURS: dict[str, RGB] = {
    "black": (24, 24, 26),
    "white": (246, 246, 244),
    "grey": (146, 150, 154),
    "red": (205, 32, 40),
    "orange": (246, 132, 20),
    "yellow": (244, 208, 50),
    "green": (38, 140, 66),
    "blue": (56, 132, 236),
    "navy": (24, 44, 118),
    "purple": (134, 60, 176),
    "pink": (248, 150, 190),
    "brown": (124, 74, 36),
}
PATTERNS: tuple[str, ...] = ("solid", "striped", "checked", "dotted", "floral")
PATTERN_NOUNS: dict[str, str] = {
    "striped": "stripes",
    "checked": "checks",
    "dotted": "dots",
    "floral": "flowers",
}

SLEEVES: dict[str, tuple[str, ...]] = {
    "t-shirt": ("short sleeve", "long sleeve"),
    "shirt": ("short sleeve", "long sleeve"),
    "blouse": ("short sleeve", "long sleeve"),
    "shirt dress": ("short sleeve", "long sleeve"),
    "evening gown": ("sleeveless", "long sleeve"),
}
LENGTHS: dict[str, tuple[str, ...]] = {
    "skirt": ("mini", "midi", "long"),
    "sundress": ("mini", "midi"),
    "coat": ("knee length", "long"),
}
NECKLINES: dict[str, tuple[str, ...]] = {
    "t-shirt": ("crew neck", "v-neck"),
    "sweater": ("crew neck", "v-neck"),
}
# Too small for a recognisable pattern, or rarely patterned in the real world.
PLAIN_TYPES = frozenset({"jeans", "sunglasses", "glasses", "boots", "heels", "sandals"})

# A second colour must contrast with the first: either clearly lighter or darker, or very different
# in hue and somewhat in lightness (CIE Lab units).
_LIGHTNESS_APART = 33.0
_DISTANCE_APART = 60.0
_LIGHTNESS_AT_LEAST = 12.0


@dataclass(frozen=True, slots=True)
class Garment:
    """A garment. An attribute is None if the type does not have it, or if a look hides it."""

    department: str
    type: str
    colour: str
    pattern: str
    second_colour: str | None = None
    sleeve: str | None = None
    length: str | None = None
    neckline: str | None = None


ATTRIBUTES: tuple[str, ...] = tuple(field.name for field in fields(Garment))


def lab(colour: RGB) -> tuple[float, float, float]:
    """sRGB (0..255) to CIE Lab, D65 white."""

    def linear(value: int) -> float:
        return ((value / 255 + 0.055) / 1.055) ** 2.4 if value > 10 else value / 3295

    def curve(t: float) -> float:
        return math.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116

    r, g, b = (linear(value) for value in colour)
    x = curve((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505)
    y = curve(0.2126 * r + 0.7152 * g + 0.0722 * b)
    z = curve((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


_LAB = {name: lab(colour) for name, colour in COLOURS.items()}


def shade_of(name: str, draw: Callable[[], RGB]) -> RGB:
    """The first shade from ``draw`` that is nearer to this colour than to any other, in Lab; the
    colour itself when fifty are not."""
    for _ in range(50):
        shade = draw()
        at = lab(shade)
        if min(COLOURS, key=lambda other: math.dist(_LAB[other], at)) == name:
            return shade
    return COLOURS[name]


def _contrasting(first: str, second: str) -> bool:
    a, b = lab(COLOURS[first]), lab(COLOURS[second])
    lightness = abs(a[0] - b[0])
    far = math.dist(a, b) >= _DISTANCE_APART and lightness >= _LIGHTNESS_AT_LEAST
    return lightness >= _LIGHTNESS_APART or far


CONTRASTS: dict[str, tuple[str, ...]] = {
    first: tuple(second for second in COLOURS if _contrasting(first, second)) for first in COLOURS
}


def patterns_of(garment_type: str) -> tuple[str, ...]:
    """The patterns in which a type exists."""
    if garment_type in PLAIN_TYPES:
        return ("solid",)
    return ("solid", "striped") if garment_type == "sneakers" else PATTERNS


def sample_garment(
    rng: random.Random, department: str | None = None, type: str | None = None
) -> Garment:
    """A random garment, of the given department or type if any."""
    if type is not None:
        department = DEPARTMENT_OF[type]
    department = department or rng.choice(tuple(DEPARTMENTS))
    kind = type or rng.choice(DEPARTMENTS[department])
    pattern = rng.choice(patterns_of(kind))
    colour = rng.choice(tuple(COLOURS))
    return Garment(
        department=department,
        type=kind,
        colour=colour,
        pattern=pattern,
        second_colour=None if pattern == "solid" else rng.choice(CONTRASTS[colour]),
        sleeve=rng.choice(SLEEVES[kind]) if kind in SLEEVES else None,
        length=rng.choice(LENGTHS[kind]) if kind in LENGTHS else None,
        neckline=rng.choice(NECKLINES[kind]) if kind in NECKLINES else None,
    )


def near_garments(garment: Garment) -> list[Garment]:
    """Every garment of the same department that differs in exactly one attribute."""
    kind, second = garment.type, garment.second_colour
    found = [
        replace(garment, colour=colour)
        for colour in COLOURS
        if colour != garment.colour and (second is None or second in CONTRASTS[colour])
    ]
    if second is not None:
        found += [
            replace(garment, second_colour=c) for c in CONTRASTS[garment.colour] if c != second
        ]
        kinds = [p for p in patterns_of(kind) if p not in ("solid", garment.pattern)]
        found += [replace(garment, pattern=pattern) for pattern in kinds]
    cuts = {"sleeve": SLEEVES, "length": LENGTHS, "neckline": NECKLINES}
    for name, choices in cuts.items():
        now = getattr(garment, name)
        found += [
            replace(garment, **{name: cut})
            for cut in choices.get(kind, ())
            if now not in (None, cut)
        ]
    for other in DEPARTMENTS[garment.department]:
        fits = all(
            (other in choices) == (kind in choices)
            and (getattr(garment, name) is None or getattr(garment, name) in choices[other])
            for name, choices in cuts.items()
        )
        if other != kind and fits and garment.pattern in patterns_of(other):
            found.append(replace(garment, type=other))
    return found


def near_garment(garment: Garment, rng: random.Random) -> Garment:
    """A hard negative, which differs in exactly one attribute; the attribute is drawn first."""
    choices: dict[str, list[Garment]] = {}
    for other in near_garments(garment):
        choices.setdefault(_difference(garment, other), []).append(other)
    return rng.choice(choices[rng.choice(tuple(choices))])


def _difference(a: Garment, b: Garment) -> str:
    return next(name for name in ATTRIBUTES if getattr(a, name) != getattr(b, name))


def visible(outfit: Mapping[str, Garment]) -> dict[str, Garment]:
    """The visible attributes of an outfit: outerwear hides the sleeves of the layer below."""
    if "outerwear" not in outfit:
        return dict(outfit)
    return {
        department: replace(garment, sleeve=None) if department in ("top", "dress") else garment
        for department, garment in outfit.items()
    }


def same_visible(look_garment: Garment, product_garment: Garment) -> bool:
    """Whether the product has every visible attribute of the garment in the look."""
    return all(
        (seen := getattr(look_garment, name)) is None or seen == getattr(product_garment, name)
        for name in ATTRIBUTES
    )
