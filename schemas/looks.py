"""Records of the look flow: the look as generated, and what it was matched with."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import Base64Bytes, Field, StringConstraints, model_validator

from schemas.attributes import Department, Gender
from schemas.base import Event, Market, Part, UtcTime
from schemas.catalog import Product
from schemas.money import Money

LookId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ImageReference(Part):
    """A picture by URL or by its bytes (base64 in JSON); exactly one of the two."""

    url: str | None = Field(None, max_length=4000)
    data: Base64Bytes | None = Field(None, description="The encoded picture (JPEG, PNG, ...).")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.url is None) == (self.data is None):
            raise ValueError("an image has either a url or data")
        return self


class Preferences(Part):
    """Hard filters. Empty means no restriction."""

    brands: tuple[str, ...] = Field((), description="Only these (compared case-insensitively).")
    excluded_brands: tuple[str, ...] = ()
    colours: tuple[str, ...] = Field((), description="Only these colour families.")
    sizes: dict[Department, tuple[str, ...]] = Field(
        default_factory=dict, description="Per department, any of these normalised sizes."
    )
    min_price: Money | None = Field(None, description="Per product; in the market's currency.")
    max_price: Money | None = Field(None, description="Per product; in the market's currency.")
    departments: tuple[Department, ...] = Field((), description="Match only these layers.")


class Look(Event):
    """looks.generated: one generated picture with its context. Key: look_id."""

    look_id: LookId
    image: ImageReference
    reference_images: tuple[ImageReference, ...] = Field((), max_length=8)
    user_id: str | None = Field(None, max_length=200)
    market: Market | None = Field(None, description="Only products sold there.")
    gender: Gender | None = Field(None, description="Products of this gender, and unisex ones.")
    preferences: Preferences = Field(
        default_factory=Preferences, description="Explicit: never relaxed."
    )
    inferred: Preferences = Field(
        default_factory=Preferences, description="Guessed from behaviour: relaxed when too few."
    )
    created_at: UtcTime | None = None


class Region(Part):
    """A box in the picture, as fractions of its width and height; origin top left."""

    x0: float = Field(ge=0, le=1)
    y0: float = Field(ge=0, le=1)
    x1: float = Field(ge=0, le=1)
    y1: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError("a region has a width and a height")
        return self


class MatchedProduct(Part):
    """A product found for a layer, best first."""

    rank: int = Field(ge=1)
    score: float = Field(description="What the order is made of; higher is better.")
    similarity: float = Field(description="Cosine with the layer's fused query vector.")
    product: Product


class LayerMatch(Part):
    """What one layer ended with."""

    layer: Department
    query: str
    region: Region | None = Field(None, description="Where the layer was found.")
    products: tuple[MatchedProduct, ...] = ()
    abstained: str | None = Field(
        None, description="Why no product is shown, e.g. below-threshold."
    )
    relaxed: tuple[str, ...] = Field((), description="Filters that were let go, in order.")
    folded: int = Field(0, ge=0, description="Near-duplicates folded into the products shown.")
    confidence: float = Field(
        0.0, ge=0, le=1, description="That the first product is the same item."
    )


class LookMatches(Event):
    """looks.matched: per look exactly one event. Key: look_id."""

    event_id: UUID = Field(description="uuid5 of the look_id: equal on replay.")
    look_id: LookId
    user_id: str | None = None
    market: Market | None = None
    layers: tuple[LayerMatch, ...] = ()
    refused: str | None = Field(
        None,
        description="Code of why the look could not be matched at all, e.g. "
        '"no-garment-found", "deadline", "too-large".',
    )
    refused_because: str | None = Field(None, description="The same in words, for people.")
    degraded: tuple[str, ...] = Field(
        (), description="Parts that failed or were late, as stage:cause, e.g. describe:deadline."
    )
    models: dict[str, str] = Field(default_factory=dict, description="Role -> model fingerprint.")
    index_generation: str = Field("", description="Collection the products came from.")
    timings_ms: dict[str, float] = Field(default_factory=dict, description="Stage -> milliseconds.")
    cached: bool = False
    matched_at: UtcTime
