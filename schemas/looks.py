"""Records of the look flow: generated looks and their matches."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Base64Bytes, Field, StringConstraints, model_validator

from schemas.attributes import Department, Gender
from schemas.base import Event, Market, Number, Part, UtcTime, Whole
from schemas.catalog import Product
from schemas.money import Money

LookId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


ProductOutcome = Literal["exact", "similar"]


class ImageReference(Part):
    """A picture, either by URL or by its bytes (base64 in JSON)."""

    url: str | None = Field(None, max_length=4000)
    data: Base64Bytes | None = Field(None, description="The encoded picture (JPEG, PNG, ...).")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.url is None) == (self.data is None):
            raise ValueError("an image must have exactly one of url and data")
        return self


class Preferences(Part):
    """Hard filters; empty fields restrict nothing."""

    brands: tuple[str, ...] = Field((), description="Only these (compared case-insensitively).")
    excluded_brands: tuple[str, ...] = ()
    colours: tuple[str, ...] = Field((), description="Only these colour families.")
    sizes: dict[Department, tuple[str, ...]] = Field(
        default_factory=dict, description="Per department, any of these standardised sizes."
    )
    min_price: Money | None = Field(None, description="Per product; in the market's currency.")
    max_price: Money | None = Field(None, description="Per product; in the market's currency.")
    departments: tuple[Department, ...] = Field((), description="Match only these layers.")


class Region(Part):
    """A box in fractions of the picture's width and height; origin top left."""

    x0: Number = Field(ge=0, le=1)
    y0: Number = Field(ge=0, le=1)
    x1: Number = Field(ge=0, le=1)
    y1: Number = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError("a region must have x0 < x1 and y0 < y1")
        return self


WHOLE_PICTURE = Region(x0=0.0, y0=0.0, x1=1.0, y1=1.0)


class Look(Event):
    """looks.generated: a generated picture and its context. Key: look_id."""

    look_id: LookId
    image: ImageReference
    reference_images: tuple[ImageReference, ...] = Field((), max_length=8)
    user_id: str | None = Field(None, max_length=200)
    market: Market | None = Field(None, description="Only products sold in this market.")
    gender: Gender | None = Field(
        None, description="Only products for this gender, and unisex ones."
    )
    preferences: Preferences = Field(
        default_factory=Preferences, description="Explicit preferences; never relaxed."
    )
    inferred: Preferences = Field(
        default_factory=Preferences,
        description="Inferred from behaviour; relaxed when too few products satisfy them.",
    )
    person: Region | None = Field(
        None,
        description="Where the person to match is, when the picture shows several; by default the "
        "largest.",
    )
    created_at: UtcTime | None = None


class MatchedProduct(Part):
    """A product matched to a layer."""

    rank: Whole = Field(ge=1)
    score: Number = Field(description="The products' order; higher is better.")
    similarity: Number = Field(description="Cosine with the layer's fused query vector.")
    outcome: ProductOutcome | None = Field(
        None, description="exact: the very item or its twin; similar: one of its kind."
    )
    same_item: Number | None = Field(
        None, ge=0, le=1, description="Probability that the product is the very item."
    )
    same_kind: Number | None = Field(
        None,
        ge=0,
        le=1,
        description="Probability that the product is of the layer's kind, e.g. a boot for a boot.",
    )
    product: Product

    @property
    def probability(self) -> float | None:
        """Of its outcome; None: unknown."""
        return self.same_item if self.outcome == "exact" else self.same_kind


class LayerMatch(Part):
    """The result for one layer."""

    layer: Department
    query: str
    region: Region | None = Field(None, description="Where the layer was found.")
    products: tuple[MatchedProduct, ...] = ()
    outcome: ProductOutcome | Literal["none"] | None = Field(
        None, description="What the first product is to the layer; none: nothing is shown."
    )
    abstained: str | None = Field(
        None, description="Why no product is shown, e.g. below-threshold."
    )
    relaxed: tuple[str, ...] = Field(
        (), description="Inferred preferences that were relaxed, in order."
    )
    folded: Whole = Field(0, ge=0, description="Near-duplicates folded into the products shown.")
    confidence: Number = Field(
        0.0,
        ge=0,
        le=1,
        description="Probability that the best product is the very item; also when none is shown. "
        "Always 0 when models.calibration is uncalibrated.",
    )
    kind_confidence: Number | None = Field(
        None,
        ge=0,
        le=1,
        description="Highest probability that one of the products found is of the layer's kind; "
        "also when none is shown. Null: unknown.",
    )


class LookMatches(Event):
    """looks.matched: exactly one event per look. Key: look_id."""

    event_id: UUID = Field(description="uuid5 of the look_id, so equal on replay.")
    look_id: LookId
    user_id: str | None = None
    market: Market | None = None
    gender: Gender | None = None
    preferences: Preferences = Field(
        default_factory=Preferences,
        description="The look's explicit preferences, for those who show the products later.",
    )
    person: Region | None = Field(
        None, description="The person matched; null: nobody was found, so the whole picture was."
    )
    layers: tuple[LayerMatch, ...] = ()
    refused: str | None = Field(
        None,
        description="Reason code if the look could not be matched at all, e.g. "
        '"no-garment-found", "deadline", "too-large".',
    )
    refused_because: str | None = Field(None, description="The reason in words.")
    degraded: tuple[str, ...] = Field(
        (), description="Stages that failed or were late, as stage:cause, e.g. describe:deadline."
    )
    models: dict[str, str] = Field(
        default_factory=dict,
        description="Role -> model fingerprint. calibration: what the probabilities were fitted "
        "to (shipped with the encoder, catalog, or judged looks), or uncalibrated: there are none.",
    )
    index_generation: str = Field("", description="Index collection that the products came from.")
    timings_ms: dict[str, Number] = Field(
        default_factory=dict, description="Stage -> milliseconds."
    )
    cached: bool = False
    matched_at: UtcTime
