"""The standard vocabulary of a fashion item: departments, genders, and where a value came from."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas.base import Part


class Department(StrEnum):
    """What a layer of a look and a shelf of the catalog have in common."""

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
    """Whom an item is made for."""

    FEMALE = "female"
    MALE = "male"
    UNISEX = "unisex"


class Attribute(Part):
    """A standardised value with its provenance. A guess is never stored as a fact."""

    value: str
    source: Literal["vendor", "rule", "model"] = Field(
        description="vendor: given in a closed field and mapped by table; rule: read from text by "
        "a rule; model: zero-shot by the encoder."
    )
    confidence: float = Field(1.0, ge=0, le=1, description="Probability; 1 unless by a model.")


class StandardAttributes(Part):
    """An item in our vocabulary. None: not known (and then not filtered on)."""

    department: Attribute | None = None
    category: Attribute | None = Field(None, description="Taxonomy category, e.g. t-shirt.")
    google_category_id: int | None = Field(None, description="Google product taxonomy id.")
    gender: Attribute | None = None
    colour: Attribute | None = Field(None, description="Colour family, e.g. navy.")
    pattern: Attribute | None = None
    sizes: tuple[str, ...] = Field(
        (), description="Normalised sizes with their system: ALPHA:M, UK:8, US:10, CM:25.5."
    )
