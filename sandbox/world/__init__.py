"""The procedural fashion world: garments as attributes, drawn as products and as looks, with words.

Everything is a function of its arguments and of a `random.Random`: the same seed gives the same
picture.
"""

from sandbox.world.cloth import Printing
from sandbox.world.garments import (
    ATTRIBUTES,
    COLOURS,
    DEPARTMENT_OF,
    DEPARTMENTS,
    LENGTHS,
    NECKLINES,
    PATTERN_NOUNS,
    PATTERNS,
    PLAIN_TYPES,
    SLEEVES,
    TYPES,
    Garment,
    near_garment,
    near_garments,
    patterns_of,
    same_visible,
    sample_garment,
    visible,
)
from sandbox.world.look import LABELS, Box, DrawnLook, draw_look, sample_outfit
from sandbox.world.product import draw_product
from sandbox.world.wording import caption, describe, held_out, phrase

__all__ = [
    "ATTRIBUTES",
    "COLOURS",
    "DEPARTMENTS",
    "DEPARTMENT_OF",
    "LABELS",
    "LENGTHS",
    "NECKLINES",
    "PATTERNS",
    "PATTERN_NOUNS",
    "PLAIN_TYPES",
    "SLEEVES",
    "TYPES",
    "Box",
    "DrawnLook",
    "Garment",
    "Printing",
    "caption",
    "describe",
    "draw_look",
    "draw_product",
    "held_out",
    "near_garment",
    "near_garments",
    "patterns_of",
    "phrase",
    "same_visible",
    "sample_garment",
    "sample_outfit",
    "visible",
]
