"""Records of the catalog flow: packet, update, product, change."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from schemas.attributes import StandardAttributes
from schemas.base import Event, Key, Market, Part, UtcTime
from schemas.ids import product_key
from schemas.money import Money

Vendor = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
ProductId = Annotated[str, StringConstraints(min_length=1, max_length=300)]


def _version(value: object) -> object:
    """A number stays; an ISO 8601 time (with offset) becomes microseconds since 1970 UTC."""
    if isinstance(value, bool):
        raise ValueError("a version is a whole number or a time, not a boolean")
    if isinstance(value, str) and not value.lstrip("+-").isdigit():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("a version is a whole number or an ISO 8601 time") from None
        if moment.tzinfo is None:
            raise ValueError("a version given as a time needs an offset")
        since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return value


Version = Annotated[int, BeforeValidator(_version), Field(ge=0, lt=2**63)]
"""Grows with every state of a product. Times are held as microseconds since 1970 UTC; one vendor
uses numbers or times, not both."""


class PacketKind(StrEnum):
    """What a packet says of its item."""

    UPSERT = "upsert"
    PATCH = "patch"
    DELETE = "delete"


class Packet(Event):
    """catalog.updates: what a vendor sent, as it came. Key: ``vendor:product_id``."""

    vendor: Vendor = Field(description="Vendor id; names the mapping.")
    product_id: ProductId = Field(description="The vendor's id of the item.")
    kind: PacketKind = Field(
        description="upsert: the whole item; patch: only the fields given; delete: gone."
    )
    version: Version
    payload: dict[str, Any] = Field(default_factory=dict, description="As the vendor has it.")
    sent_at: UtcTime | None = None

    @property
    def key(self) -> str:
        return product_key(self.vendor, self.product_id)


class ProductUpdate(Part):
    """A packet's payload in our fields, before standardisation (texts are the vendor's own).

    In a patch, only the fields set are changed (``model_fields_set``).
    """

    title: str = Field("", max_length=1000)
    description: str = Field("", max_length=20_000)
    brand: str | None = Field(None, max_length=300)
    category_text: str | None = Field(None, max_length=1000)
    gender_text: str | None = Field(None, max_length=200)
    colour_text: str | None = Field(None, max_length=300)
    pattern_text: str | None = Field(None, max_length=300)
    size_texts: tuple[str, ...] = ()
    size_system: str | None = Field(None, description="UK, US, EU, JP_CM, ALPHA when declared.")
    style_id: str | None = Field(None, max_length=300, description="Groups variants of one style.")
    url: str | None = Field(None, max_length=4000, description="The item's page in the shop.")
    image_urls: tuple[str, ...] = Field((), description="Best picture first.")
    price: Money | None = None
    list_price: Money | None = Field(None, description="Before reduction.")
    stock: int | None = Field(None, ge=0, le=10**9, description="Pieces; None: not told.")
    available: bool = Field(True, description="Can be ordered now.")
    market: Market | None = None
    language: str | None = Field(None, description="BCP 47 tag of the texts.")

    @property
    def in_stock(self) -> bool:
        return self.available and self.stock != 0


class Product(Part):
    """The current truth about one item."""

    key: Key
    vendor: Vendor
    product_id: ProductId
    version: int
    update: ProductUpdate = Field(description="The vendor's fields, mapped.")
    attributes: StandardAttributes = Field(description="The same in our vocabulary.")
    image_hash: str = Field(description="Hash of the decoded pixels of the main picture.")


class Decision(StrEnum):
    """What the catalog flow did with a packet."""

    CREATED = "created"
    REEMBEDDED = "re-embedded"
    UPDATED = "updated"
    DELETED = "deleted"
    STALE = "stale"
    UNCHANGED = "unchanged"
    HELD = "held"
    """A patch of a product not known yet: kept in the ledger until its upsert arrives."""


class ProductChange(Event):
    """catalog.changes: what was done to a product. Key: ``vendor:product_id``."""

    event_id: UUID = Field(description="uuid5 of key and source position: equal on replay.")
    key: Key
    decision: Decision
    version: int
    changed_at: UtcTime
    product: Product | None = Field(None, description="None when deleted.")
    position: str | None = Field(
        None, description="topic/partition/offset of the packet that made the change."
    )
    upsert_version: int | None = Field(
        None, description="Of the newest upsert; less than `version` after a newer patch."
    )
    patched: dict[str, int] = Field(
        default_factory=dict, description="Field -> version of the patch newer than the upsert."
    )

    @model_validator(mode="after")
    def _product_unless_deleted(self) -> Self:
        if (self.product is None) != (self.decision is Decision.DELETED):
            raise ValueError("a change carries the product, a deletion does not")
        return self


class LedgerEntry(Part):
    """Per product, what was last applied. Written only after the vector store has acknowledged.

    Last writer wins, field by field, so that packets may arrive in any order: ``version`` is the
    newest upsert's, ``patched`` holds fields set by patches newer than it, ``deleted_version`` the
    newest delete's. The product exists when ``version > deleted_version`` (with -1 for never).
    """

    key: Key
    version: int = -1
    deleted_version: int = -1
    patched: dict[str, int] = Field(
        default_factory=dict, description="Field -> version of the patch newer than the upsert."
    )
    update: ProductUpdate = Field(default_factory=ProductUpdate)
    attributes: StandardAttributes = Field(default_factory=StandardAttributes)
    image_url: str | None = None
    image_hash: str | None = None
    attributes_hash: str | None = Field(
        None, description="Of the filterable attributes as the vector store has them."
    )
    model: str | None = Field(None, description="Fingerprint of the encoder that embedded it.")
    indexed: bool = Field(False, description="The vector store has it.")
    last_position: str | None = Field(
        None,
        description="topic/partition/offset of the packet applied last: a replayed packet "
        "emits its change again.",
    )
    last_decision: Decision | None = None
    changed_at: UtcTime | None = None

    @property
    def exists(self) -> bool:
        return self.version > self.deleted_version

    @field_validator("patched")
    @classmethod
    def _known_fields(cls, patched: dict[str, int]) -> dict[str, int]:
        unknown = patched.keys() - ProductUpdate.model_fields.keys()
        if unknown:
            raise ValueError(f"unknown fields {sorted(unknown)}")
        return patched
