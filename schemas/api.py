"""Requests and answers of the HTTP API, beside the events themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.attributes import Department, Gender
from schemas.base import Market, Number
from schemas.catalog import Product
from schemas.interactions import Interaction
from schemas.looks import ImageReference, LookId, LookMatches, Preferences, Region
from schemas.money import MOST_MINOR, Currency

MOST_PRODUCTS = 200
"""That a search can be paged through."""


class Request(BaseModel):
    """Base of what clients send: a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LookContext(Request):
    """For whom a picture is matched."""

    user_id: str | None = Field(None, max_length=200)
    market: Market | None = Field(None, description="Only products sold in this market.")
    gender: Gender | None = None
    preferences: Preferences = Field(default_factory=Preferences)
    inferred: Preferences = Field(default_factory=Preferences)
    person: Region | None = None


class NewLook(LookContext):
    """A look to be matched by the look flow."""

    look_id: LookId | None = Field(
        None, description="By default made from the Idempotency-Key, or else a new one."
    )
    image: ImageReference
    reference_images: tuple[ImageReference, ...] = Field((), max_length=8)


class PreviewRequest(LookContext):
    """A picture to be matched now, of which nothing is stored."""

    image: ImageReference
    region: Region | None = Field(None, description="Match only this part of the picture.")
    deadline_seconds: Number | None = Field(None, gt=0)


class LookStatus(BaseModel):
    """How far a look is."""

    look_id: str
    status: Literal["pending", "matched", "refused"]
    matches: str = Field(description="Where its matches are.")


class LookPage(BaseModel):
    """Looks that were matched, the newest first."""

    looks: list[LookMatches]
    next: str | None = Field(None, description="Cursor of the next page.")


class ProductQuery(Request):
    """Which products are wanted, and which part of the list."""

    market: Market | None = None
    layer: Department | None = None
    gender: Gender | None = None
    brand: tuple[str, ...] = ()
    colour: tuple[str, ...] = ()
    size: tuple[str, ...] = Field((), description="Standardised, e.g. ALPHA:M; needs a layer.")
    min_price: int | None = Field(None, ge=0, le=MOST_MINOR, description="In minor units.")
    max_price: int | None = Field(None, ge=0, le=MOST_MINOR, description="In minor units.")
    currency: Currency | None = Field(None, description="Of the prices.")
    limit: int = Field(20, ge=1, le=50)
    cursor: int = Field(0, ge=0, lt=MOST_PRODUCTS, description="`next` of the page before.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.currency is None and (self.min_price is not None or self.max_price is not None):
            raise ValueError("a price needs a currency")
        if self.size and self.layer is None:
            raise ValueError("a size needs a layer")
        return self


class ProductSearch(ProductQuery):
    """The same, for a text."""

    q: str = Field(min_length=1, max_length=300, description="In words.")


class OfferedProduct(BaseModel):
    """A product as it is offered now."""

    product: Product
    in_stock: bool
    link: str = Field(description="To its page in the shop, by way of us.")
    similarity: float | None = Field(None, description="Cosine with what was asked for.")


class ProductPage(BaseModel):
    """Products, best first."""

    products: list[OfferedProduct]
    next: str | None = Field(None, description="Cursor of the next page.")


class InteractionBatch(Request):
    """What users did."""

    events: tuple[Interaction, ...] = Field(min_length=1, max_length=500)


class Accepted(BaseModel):
    """How many events were taken."""

    accepted: int


class Meta(BaseModel):
    """What answers here."""

    models: dict[str, str] = Field(description="Role -> model fingerprint.")
    calibrated: bool = Field(description="Whether probabilities were fitted for the encoder.")
    index_generation: str
    products: int | None = Field(None, description="In the index; null: it does not answer.")
    time: datetime


class Liveness(BaseModel):
    """The process works."""

    status: str = "alive"


class Readiness(BaseModel):
    """Whether requests can be answered."""

    ready: bool
    topics: dict[str, bool] = Field(description="Topic -> it is being followed.")
