"""The ground truth of a world. Only the evaluation reads it, never a flow."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sandbox.world import Garment, same_visible
from schemas.looks import Look

Fate = Literal[
    "created",
    "pending",
    "re-embedded",
    "updated",
    "deleted",
    "stale",
    "unchanged",
    "held",
    "dead",
]
"""The expected fate of a packet; all but ``dead`` are decisions of the catalog flow."""

EMBEDDING_FATES: frozenset[Fate] = frozenset({"created", "re-embedded"})

LayerKind = Literal["exact", "near", "absent"]


class _Truth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GarmentTruth(_Truth):
    """`sandbox.world.Garment` as a record; attributes that a look hides are None."""

    department: str
    type: str
    colour: str
    pattern: str
    second_colour: str | None = None
    sleeve: str | None = None
    length: str | None = None
    neckline: str | None = None

    @classmethod
    def of(cls, garment: Garment) -> GarmentTruth:
        return cls(**asdict(garment))

    def garment(self) -> Garment:
        return Garment(**self.model_dump())


class ProductTruth(_Truth):
    """One item at the end of the timeline."""

    key: str
    state: Literal["live", "deleted"]
    version: int
    """Of the newest applied upsert, as in the ledger: zari's number, else microseconds."""
    garment: GarmentTruth
    colour_stated: bool
    """False: the vendor states it nowhere, so it can only be inferred."""
    pattern_stated: bool
    category_stated: bool
    gender: str | None
    """None: the vendor does not state it."""
    brand: str
    market: str
    style: str
    """``vendor:style_id``."""
    size: str | None
    """SYSTEM:value; None: one size."""
    price_minor: int
    currency: str
    stock: int | None
    picture: str
    """Content id of the main picture, shared by products with equal pictures."""
    picture_file: str
    """Name of the main picture's file in the world's folder of pictures."""

    @property
    def live(self) -> bool:
        return self.state == "live"

    @property
    def in_stock(self) -> bool:
        return self.stock != 0


class PacketTruth(_Truth):
    """The expected fate of one packet, in publishing order."""

    key: str
    fate: Fate
    reason: str | None = None
    """The defect of a broken packet."""


class LayerTruth(_Truth):
    """One garment of a look."""

    kind: LayerKind
    garment: GarmentTruth
    """As the look shows it."""
    box: tuple[float, float, float, float]
    """x0, y0, x1, y1 of its visible area, as fractions of width and height."""
    products: tuple[str, ...]
    """Keys of the true products: live, passing the look's filters, same visible attributes."""


class LookTruth(_Truth):
    """The garments of a look."""

    look_id: str
    picture_file: str
    layers: dict[str, LayerTruth]
    """By department."""


class Truth(_Truth):
    """The full ground truth of a world."""

    seed: int
    withheld: tuple[str, ...]
    """Garment types that no vendor sells."""
    products: dict[str, ProductTruth]
    """All products that ever existed, by key."""
    packets: tuple[PacketTruth, ...]
    embeddings_at_most: int
    """One per packet that creates a product or changes its picture."""
    embeddings_at_least: int
    """One per distinct picture among them, as products may share one."""
    looks: tuple[LookTruth, ...]

    def live(self) -> dict[str, ProductTruth]:
        """Return the products that the index must hold at the end."""
        return {key: product for key, product in self.products.items() if product.live}

    def fates(self, fate: Fate) -> int:
        """Count the packets of a fate."""
        return sum(packet.fate == fate for packet in self.packets)


def admissible(product: ProductTruth, look: Look) -> bool:
    """Whether the product passes the look's filters; an unknown gender passes."""
    wanted = look.preferences
    department = product.garment.department
    sizes = {name.value: values for name, values in wanted.sizes.items()}.get(department)
    brands = {name.casefold() for name in wanted.brands}
    price = wanted.max_price
    return (
        product.live
        and product.in_stock
        and look.market in (None, product.market)
        and (look.gender is None or product.gender in (None, "unisex", look.gender.value))
        and (not brands or product.brand.casefold() in brands)
        and product.brand.casefold() not in {name.casefold() for name in wanted.excluded_brands}
        and (sizes is None or product.size in sizes)
        and (
            price is None
            or (product.currency == price.currency and product.price_minor <= price.amount_minor)
        )
    )


def is_true(product: ProductTruth, seen: Garment) -> bool:
    """Whether the product matches every visible attribute of a garment in a look."""
    return same_visible(seen, product.garment.garment())
