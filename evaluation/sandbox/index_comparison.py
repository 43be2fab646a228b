"""Compare the index and the ledger with the truth, product by product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from operators.picture import REDUCED_HASH
from operators.ports import IndexedAttributes, Ledger, VectorStore
from operators.vocabulary.price_bucket import price_bucket
from sandbox.life import ProductTruth, Truth
from schemas.attributes import Attribute
from schemas.catalog import LedgerEntry
from schemas.money import Money


@dataclass(frozen=True, slots=True)
class Difference:
    """One deviation from the truth."""

    key: str
    what: str
    """E.g. ``index.price_bucket`` or ``ledger.version``."""
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class IndexComparison:
    """Sizes of the vector store and the ledger, and their deviations from the truth."""

    indexed: int
    tombstones: int
    differences: tuple[Difference, ...]


async def compare_index(truth: Truth, index: VectorStore, ledger: Ledger) -> IndexComparison:
    """Compare every true product, and report products that should not exist.

    Attributes that the vendor did not state may have any value, but their source must be
    ``model``. Two products must have the same image hash exactly when they share a picture;
    hashes of whole and of reduced pictures differ (docs/decisions/172).
    """
    indexed = {key: attributes async for key, attributes in index.scan()}
    entries = {entry.key: entry async for entry in ledger.scan()}
    live = truth.live()
    known = {key for key, entry in entries.items() if entry.exists}
    waiting = {packet.key for packet in truth.packets if packet.fate == "pending"}
    differences = [
        Difference(key, store, "missing or deleted", "present")
        for store, held in (("index", indexed.keys()), ("ledger", known - waiting))
        for key in sorted(held - live.keys())
    ]
    for key, product in live.items():
        if key in indexed:
            differences += _index_differences(product, indexed[key])
        else:
            differences.append(Difference(key, "index", "present", "missing"))
        if key in known:
            differences += _ledger_differences(product, entries[key])
        else:
            differences.append(Difference(key, "ledger", "present", "missing or deleted"))
    present = {key: product for key, product in live.items() if key in indexed}
    differences += _picture_differences(present, indexed)
    tombstones = sum(
        not entry.exists and entry.deleted_version is not None for entry in entries.values()
    )
    return IndexComparison(len(indexed), tombstones, tuple(differences))


def _index_differences(product: ProductTruth, found: IndexedAttributes) -> Iterator[Difference]:
    price = Money(amount_minor=product.price_minor, currency=product.currency)
    expected: dict[str, Any] = {
        "market": product.market,
        "brand": product.brand.casefold(),
        "style": product.style,
        "sizes": () if product.size is None else (product.size,),
        "in_stock": product.in_stock,
        "currency": product.currency,
        "price_bucket": price_bucket(price),
    }
    expected |= _stated_attributes(product)
    for name, value in expected.items():
        if getattr(found, name) != value:
            yield Difference(product.key, f"index.{name}", str(value), str(getattr(found, name)))


def _ledger_differences(product: ProductTruth, entry: LedgerEntry) -> Iterator[Difference]:
    update = entry.update
    price = update.price
    facts: list[tuple[str, object, object]] = [
        ("version", product.version, entry.version),
        (
            "price",
            (product.price_minor, product.currency),
            price and (price.amount_minor, price.currency),
        ),
        ("in_stock", product.in_stock, update.in_stock),
        ("indexed", True, entry.indexed),
    ]
    if product.stock:  # some vendors state "sold out" in words, without a number
        facts.append(("stock", product.stock, update.stock))
    for name, expected, found in facts:
        if expected != found:
            yield Difference(product.key, f"ledger.{name}", str(expected), str(found))
    stated = _stated_attributes(product)
    for name in ("department", "category", "colour", "pattern", "gender"):
        attribute: Attribute | None = getattr(entry.attributes, name)
        if name in stated:
            if attribute is None or attribute.value != stated[name] or attribute.source == "model":
                yield Difference(
                    product.key,
                    f"ledger.{name}",
                    f"{stated[name]}, stated by the vendor",
                    str(attribute),
                )
        elif attribute is not None and attribute.source != "model":
            yield Difference(product.key, f"ledger.{name}", "unknown or a guess", str(attribute))


def _stated_attributes(product: ProductTruth) -> dict[str, str]:
    """Return what the vendor states of the garment, in the standard vocabulary."""
    garment = product.garment
    stated: dict[str, str] = {}
    if product.category_stated:
        stated |= {"department": garment.department, "category": garment.type}
    if product.colour_stated:
        stated["colour"] = garment.colour
    if product.pattern_stated:
        stated["pattern"] = garment.pattern
    if product.gender is not None:
        stated["gender"] = product.gender
    return stated


def _picture_differences(
    products: dict[str, ProductTruth], indexed: dict[str, IndexedAttributes]
) -> Iterator[Difference]:
    hash_of: dict[tuple[str, bool], str] = {}
    picture_of: dict[str, str] = {}
    for key, product in products.items():
        found = indexed[key].image_hash
        reduced = found.startswith(REDUCED_HASH)
        expected = hash_of.setdefault((product.picture, reduced), found)
        if found != expected:
            yield Difference(key, "index.image_hash", f"{expected}, of {product.picture}", found)
        elif (shown := picture_of.setdefault(found, product.picture)) != product.picture:
            yield Difference(
                key, "index.image_hash", f"one of {product.picture}", f"that of {shown}"
            )
