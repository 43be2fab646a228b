"""Styles: what a product is by its attributes, and the details that tell it from its like."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.second_world.shades import METALS, NAMED, RGB, sample_shade, second_colour

KINDS: Mapping[str, Sequence[str]] = {
    "top": (
        *("t-shirt", "shirt", "blouse", "sweater", "tank top", "hoodie", "polo shirt"),
        *("crop top", "tunic", "cardigan"),
    ),
    "bottom": ("jeans", "trousers", "skirt", "shorts", "leggings", "joggers", "palazzo"),
    "dress": ("sundress", "shirt dress", "evening gown", "midi dress", "wrap dress", "jumpsuit"),
    "outerwear": ("coat", "jacket", "blazer", "vest", "parka"),
    "footwear": ("sneakers", "boots", "heels", "sandals", "loafers", "flats", "juttis"),
    "bag": ("handbag", "backpack", "tote bag", "crossbody bag", "clutch"),
    "headwear": ("cap", "beanie", "sun hat", "bucket hat", "beret", "turban"),
    "eyewear": ("sunglasses", "glasses"),
    "jewellery": ("necklace", "earrings", "bangles"),
    "watch": ("wristwatch", "smartwatch"),
    "belt": ("leather belt", "waist belt"),
    "scarf": ("muffler", "stole", "silk scarf", "tie"),
    "ethnic_wear": ("saree", "kurta", "lehenga", "kimono", "sherwani"),
}
"""Department -> categories of the taxonomy that are drawn."""

FEMALE = frozenset(
    {
        *("blouse", "crop top", "skirt", "leggings", "palazzo", "heels", "flats", "handbag"),
        *("clutch", "sun hat", "necklace", "earrings", "bangles", "saree", "lehenga"),
        *KINDS["dress"],
    }
)
MALE = frozenset({"tie", "sherwani", "turban"})

PATTERNS = ("solid", "striped", "checked", "dotted", "floral", "geometric", "graphic")
_WEIGHTS = (5, 2, 2, 1, 2, 1, 1.5)
_PLAIN = frozenset(
    {
        *("jeans", "leggings", "loafers", "flats", "boots", "heels", "sandals", "sneakers"),
        *KINDS["eyewear"],
        *KINDS["jewellery"],
        *KINDS["watch"],
        *KINDS["belt"],
    }
)
_WEAVES = ("plain", "twill", "knit", "rib", "smooth")
_KNITTED = frozenset({"sweater", "beanie", "muffler", "cardigan"})

MOTIFS = 8
PLACES = 3
HEMS = 4
BUTTONS = (0, 2, 3, 4, 6)


@dataclass(frozen=True, slots=True)
class Details:
    """What a vendor's data never says. Each kind of garment shows most of them."""

    motif: int
    """0 (none) to MOTIFS - 1."""
    place: int
    """Of the motif."""
    buttons: int
    hem: int
    """Straight, curved, slit or banded; of small things, another form."""
    trim: RGB | None
    """Of hem bands, cuffs, soles and piping; None: as the cloth."""
    pocket: bool


@dataclass(frozen=True, slots=True)
class Style:
    """One style of one vendor: drawn the same wherever it is shown."""

    department: str
    category: str
    colour: str
    pattern: str
    shade: RGB
    second: RGB
    """The pattern's second colour."""
    period: float
    """Of the pattern, in body units."""
    angle: float
    """Of the pattern, radians."""
    weave: str
    fit: float
    """-1 (tight) to 1 (wide)."""
    details: Details

    @property
    def attributes(self) -> tuple[str, str, str]:
        """Category, colour and pattern: what near-duplicates share."""
        return self.category, self.colour, self.pattern


def sample_style(department: str, rng: random.Random) -> Style:
    """A random style of the department."""
    category = rng.choice(KINDS[department])
    metal = department in ("jewellery", "watch") and rng.random() < 0.7
    colour = rng.choice(tuple(METALS if metal else NAMED))
    pattern = "solid" if category in _PLAIN else rng.choices(PATTERNS, _WEIGHTS)[0]
    return Style(
        department=department,
        category=category,
        colour=colour,
        pattern=pattern,
        shade=sample_shade(colour, rng),
        second=sample_shade(second_colour(colour, rng), rng),
        period=rng.uniform(0.16, 0.5),
        angle=rng.choice((0.0, 0.0, 1.5708, rng.uniform(-0.8, 0.8))),
        weave="knit" if category in _KNITTED else rng.choice(_WEAVES),
        fit=rng.uniform(-1.0, 1.0),
        details=sample_details(rng),
    )


def sample_details(rng: random.Random) -> Details:
    """Random details. The trim is never the cloth's shade."""
    return Details(
        motif=rng.randrange(MOTIFS),
        place=rng.randrange(PLACES),
        buttons=rng.choice(BUTTONS),
        hem=rng.randrange(HEMS),
        trim=None if rng.random() < 0.3 else sample_shade(rng.choice(tuple(NAMED)), rng),
        pocket=rng.random() < 0.5,
    )


def near_duplicate(style: Style, rng: random.Random) -> Style:
    """The same garment with other details: motif, buttons and hem never all stay."""
    while True:
        details = sample_details(rng)
        old = style.details
        if details.motif != old.motif and (details.buttons, details.hem) != (old.buttons, old.hem):
            return replace(style, details=details)
