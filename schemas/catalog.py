"""Records of the catalog flow: packet, update, product, change."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from schemas.attributes import StandardAttributes
from schemas.base import Event, Key, KnownVersion, Market, Number, Part, UtcTime, Whole
from schemas.ids import product_key
from schemas.money import Money
from schemas.versions import Version

Vendor = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
ProductId = Annotated[str, StringConstraints(min_length=1, max_length=300)]


UNKNOWN_VERSION = -1
"""On the topics: the version of a product that exists although no version of it is known."""


class PacketKind(StrEnum):
    """What a packet does to its item."""

    UPSERT = "upsert"
    PATCH = "patch"
    DELETE = "delete"
    REFRESH = "refresh"
    """Reconcile the product again: retry a pending picture, apply the dates of a sale."""
    FORGET_VERSION = "forget-version"
    """Forget the product's versions, so that the next packet is newer."""

    @property
    def is_ours(self) -> bool:
        """Sent by LookSync itself, not by a vendor."""
        return self in (PacketKind.REFRESH, PacketKind.FORGET_VERSION)


class Packet(Event):
    """catalog.updates: what a vendor sent, unchanged. Key: ``vendor:product_id``."""

    vendor: Vendor = Field(description="Vendor id; selects the mapping.")
    product_id: ProductId = Field(description="The vendor's id of the item.")
    kind: PacketKind = Field(
        description="upsert: the whole item; patch: some fields; delete: the item is gone. "
        "LookSync's own: refresh (reconcile the product again), forget-version (whatever comes "
        "next is newer)."
    )
    version: Version
    payload: dict[str, Any] = Field(default_factory=dict, description="In the vendor's own fields.")
    sent_at: UtcTime | None = None

    @property
    def key(self) -> str:
        return product_key(self.vendor, self.product_id)


class ProductUpdate(Part):
    """A packet's payload mapped to standard fields, with the vendor's own texts.

    A patch changes only the fields that are set (``model_fields_set``).
    """

    title: str = Field("", max_length=1000)
    description: str = Field("", max_length=20_000)
    brand: str | None = Field(None, max_length=300)
    category_text: str | None = Field(None, max_length=1000)
    gender_text: str | None = Field(None, max_length=200)
    colour_text: str | None = Field(None, max_length=300)
    pattern_text: str | None = Field(None, max_length=300)
    size_texts: tuple[str, ...] = ()
    size_system: str | None = Field(None, description="UK, US, EU, JP_CM or ALPHA, if declared.")
    style_id: str | None = Field(
        None, max_length=300, description="Shared by the variants of a style."
    )
    url: str | None = Field(None, max_length=4000, description="The item's page in the shop.")
    image_urls: tuple[str, ...] = Field((), description="Best picture first.")
    price: Money | None = None
    list_price: Money | None = Field(None, description="Price before a reduction.")
    sale_price: Money | None = Field(None, description="Replaces `price` while the sale lasts.")
    sale_from: UtcTime | None = Field(None, description="null: the sale has begun.")
    sale_until: UtcTime | None = Field(None, description="Exclusive. null: no known end.")
    stock: Whole | None = Field(None, ge=0, le=10**9, description="Pieces in stock; null: unknown.")
    available: bool = Field(True, description="Can be ordered now.")
    market: Market | None = None
    language: str | None = Field(None, description="BCP 47 tag of the texts.")

    @property
    def in_stock(self) -> bool:
        return self.available and self.stock != 0

    def price_at(self, moment: datetime) -> Money | None:
        """The price at ``moment``, sales considered.

        A sale price that is not below the price is ignored: the packets that brought the two may be
        of different days.
        """
        sale, price = self.sale_price, self.price
        if sale is None or (
            price is not None
            and (sale.currency != price.currency or sale.amount_minor >= price.amount_minor)
        ):
            return price
        has_begun = self.sale_from is None or self.sale_from <= moment
        is_over = self.sale_until is not None and self.sale_until <= moment
        return sale if has_begun and not is_over else price


class Product(Part):
    """The current state of one item."""

    key: Key
    vendor: Vendor
    product_id: ProductId
    version: Whole = Field(description="Of the newest upsert or patch; -1: unknown.")
    update: ProductUpdate = Field(description="The vendor's fields, mapped.")
    attributes: StandardAttributes = Field(description="In the standard vocabulary.")
    price: Money | None = Field(
        None, description="The price at the time of the event, sales considered."
    )
    image_hash: str = Field(
        description="Hash of the decoded pixels of the main picture; empty while it is pending, "
        "and for products that are not fashion by their texts."
    )


class Decision(StrEnum):
    """What the catalog flow did with a packet."""

    CREATED = "created"
    REEMBEDDED = "re-embedded"
    UPDATED = "updated"
    DELETED = "deleted"
    STALE = "stale"
    UNCHANGED = "unchanged"
    HELD = "held"
    """A patch of an unknown product: held in the ledger until its upsert arrives."""
    PENDING = "pending"
    """A new product without a usable picture so far: known, but not searchable."""
    NOT_FASHION = "not-fashion"
    """The product turned out not to be fashion: known, but not searchable."""


class PendingPicture(Part):
    """A picture that a product should use, and that could not be fetched yet."""

    reason: str = Field(description="Short stable code, of the main picture.")
    refused: bool = Field(description="Refused by us or its host; false: the host was unavailable.")
    since: UtcTime
    last_try: UtcTime
    attempts: Whole = Field(ge=1)
    retry_after_seconds: Number = Field(0.0, ge=0, description="As the host asked for.")
    placeholder: str | None = Field(
        None, description="Pixel hash of the picture that many products of the vendor have."
    )


class ProductChange(Event):
    """catalog.changes: what changed about a product. Key: ``vendor:product_id``."""

    event_id: UUID = Field(description="uuid5 of key and source position: equal on replay.")
    key: Key
    decision: Decision
    version: Whole
    changed_at: UtcTime
    product: Product | None = Field(None, description="Null when deleted.")
    position: str | None = Field(
        None, description="topic/partition/offset of the packet that made the change."
    )
    upsert_version: Whole | None = Field(
        None,
        description="Of the newest upsert; lower than `version` after a newer patch; -1: unknown.",
    )
    patched: dict[str, KnownVersion] = Field(
        default_factory=dict, description="Field -> version of the patch newer than the upsert."
    )
    picture_pending: PendingPicture | None = Field(
        None, description="The product's newest picture is not in use yet; None: it is."
    )

    @model_validator(mode="after")
    def _product_unless_deleted(self) -> Self:
        if (self.product is None) != (self.decision is Decision.DELETED):
            raise ValueError("product: required in every change except a deletion")
        return self


class LedgerEntry(Part):
    """The last applied state of a product. Written only after the vector store has acknowledged.

    The last writer wins, field by field, so packets may arrive in any order. ``patched`` holds the
    fields set by patches newer than the newest upsert and the newest delete.
    """

    key: Key
    version: KnownVersion | None = Field(
        None, description="Of the newest upsert; None: there was none."
    )
    deleted_version: KnownVersion | None = Field(
        None, description="Of the newest delete; None: none, or obsolete by a newer upsert."
    )
    version_unknown: bool = Field(
        False, description="The product exists, and every upsert, patch and delete is newer."
    )
    patched: dict[str, KnownVersion] = Field(
        default_factory=dict, description="Field -> version of the patch newer than the upsert."
    )
    update: ProductUpdate = ProductUpdate()
    attributes: StandardAttributes = StandardAttributes()
    image_url: str | None = None
    image_hash: str | None = None
    picture_pending: PendingPicture | None = None
    attributes_hash: str | None = Field(
        None, description="Hash of the filterable attributes in the vector store."
    )
    model: str | None = Field(None, description="Fingerprint of the encoder that embedded it.")
    indexed: bool = Field(False, description="The vector store holds it.")
    last_position: str | None = Field(
        None,
        description="topic/partition/offset of the packet that made the last change; its replay "
        "emits that change again.",
    )
    last_decision: Decision | None = None
    changed_at: UtcTime | None = None

    @property
    def exists(self) -> bool:
        """Its newest upsert is newer than its newest delete, or its version is unknown."""
        if self.version is None:
            return self.version_unknown
        return self.deleted_version is None or self.version > self.deleted_version

    @classmethod
    def read(cls, value: bytes | str) -> Self:
        """The stored entry ``value``. Raises ValidationError.

        An entry of an earlier release has a missing version as -1 and, for a product of unknown
        version, a deletion of -2. That is looked for only when today's schema refuses it: a look
        at each entry's object would double the time of reading it.
        """
        try:
            return cls.model_validate_json(value)
        except ValidationError:
            data = _from_negative_versions(value)
            if data is None:
                raise
        return cls.model_validate(data)

    @field_validator("patched")
    @classmethod
    def _known_fields(cls, patched: dict[str, int]) -> dict[str, int]:
        unknown = patched.keys() - ProductUpdate.model_fields.keys()
        if unknown:
            raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
        return patched


def _from_negative_versions(value: bytes | str) -> dict[str, Any] | None:
    """The entry ``value`` of an earlier release in today's schema; None when it is none."""
    try:
        data = json.loads(value)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    versions = {name: data[name] for name in ("version", "deleted_version") if name in data}
    missing = {name: None for name, version in versions.items() if version in (-1, -2)}
    if not missing:
        return None
    return data | missing | {"version_unknown": versions.get("deleted_version") == -2}
