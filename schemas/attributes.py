"""The standard attributes of a fashion item, each with the source of its value."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.base import Number, Part, Whole


class Department(StrEnum):
    """The coarse kind of an item; layers of a look and products share it."""

    TOP = "top"
    BOTTOM = "bottom"
    DRESS = "dress"
    OUTERWEAR = "outerwear"
    FOOTWEAR = "footwear"
    BAG = "bag"
    HEADWEAR = "headwear"
    EYEWEAR = "eyewear"
    JEWELLERY = "jewellery"
    WATCH = "watch"
    BELT = "belt"
    SCARF = "scarf"
    GLOVES = "gloves"
    HOSIERY = "hosiery"
    SWIMWEAR = "swimwear"
    SLEEPWEAR = "sleepwear"
    UNDERWEAR = "underwear"
    ETHNIC_WEAR = "ethnic_wear"


class Gender(StrEnum):
    """The gender an item is made for."""

    FEMALE = "female"
    MALE = "male"
    UNISEX = "unisex"


class Attribute(Part):
    """A standardised value, its source and confidence: a guess is never stored as a fact."""

    value: str
    source: Literal["vendor", "rule", "model"] = Field(
        description="vendor: a vendor's field with a closed vocabulary; rule: found in a text by a "
        "rule; model: zero-shot classification by the encoder."
    )
    confidence: Number = Field(
        1.0, ge=0, le=1, description="Probability; 1 unless the source is a model."
    )


class StandardAttributes(Part):
    """An item in the standard vocabulary. Null: unknown."""

    not_fashion: Attribute | None = Field(
        None,
        description="The kind of an item that is not fashion, e.g. electronics: it is kept out of "
        "matching. Null: fashion, or unknown.",
    )
    department: Attribute | None = None
    category: Attribute | None = Field(None, description="Taxonomy category, e.g. t-shirt.")
    google_category_id: Whole | None = Field(None, description="Google product taxonomy id.")
    gender: Attribute | None = None
    colour: Attribute | None = Field(None, description="Colour family, e.g. navy.")
    pattern: Attribute | None = None
    sizes: tuple[str, ...] = Field(
        (), description="Normalised sizes with their system: ALPHA:M, UK:8, US:10, CM:25.5."
    )
