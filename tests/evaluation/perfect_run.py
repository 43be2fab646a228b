"""The output of a flawless system for a world, built from its truth; tests introduce faults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from operators.ports import IndexedAttributes
from operators.vocabulary.price_bucket import price_bucket
from sandbox.life import ProductTruth, Truth
from schemas.attributes import Attribute, Department, StandardAttributes
from schemas.catalog import Decision, LedgerEntry, Product, ProductChange, ProductUpdate
from schemas.ids import change_event_id, matched_event_id
from schemas.looks import LayerMatch, LookMatches, MatchedProduct, Region
from schemas.money import Money
from schemas.records import Record
from tests.doubles import InMemoryIndex, InMemoryLedger, unit_vector

NOW = datetime(2026, 2, 1, tzinfo=UTC)
_VECTOR = unit_vector(b"any", 4)


@dataclass(slots=True)
class Run:
    """The output of a run."""

    index: InMemoryIndex
    ledger: InMemoryLedger
    changes: list[Record]
    dead_letters: list[Record]
    matches: list[Record]


def perfect_run(truth: Truth) -> Run:
    """Everything as it should be: true products shown, near ones shown, absent ones not."""
    run = Run(
        index=InMemoryIndex(),
        ledger=InMemoryLedger(),
        changes=[
            change(truth.products[packet.key], Decision(packet.fate), position)
            for position, packet in enumerate(truth.packets)
            if packet.fate in ("created", "re-embedded", "updated", "deleted")
        ],
        dead_letters=[
            Record(packet.key, b"?", {"dlq-reason": "broken"})
            for packet in truth.packets
            if packet.fate == "dead"
        ],
        matches=[matches(truth, look.look_id) for look in truth.looks],
    )
    for key, product in truth.live().items():
        put(run, key, indexed(product))
    for product in truth.products.values():
        record(run, entry(product))
    return run


def put(run: Run, key: str, attributes: IndexedAttributes) -> None:
    """As the index has it afterwards; of the vectors nothing is asked here."""
    run.index.objects[key] = (_VECTOR, attributes)


def record(run: Run, entry: LedgerEntry) -> None:
    """As the ledger has it afterwards."""
    run.ledger.entries[entry.key] = entry.model_dump_json()


def indexed(product: ProductTruth) -> IndexedAttributes:
    garment = product.garment
    return IndexedAttributes(
        department=garment.department,
        category=garment.type,
        gender=product.gender,
        colour=garment.colour,
        pattern=garment.pattern,
        brand=product.brand.casefold(),
        market=product.market,
        sizes=() if product.size is None else (product.size,),
        in_stock=product.in_stock,
        price_bucket=price_bucket(_price(product)),
        currency=product.currency,
        style=product.style,
        image_hash=product.picture,
    )


def entry(product: ProductTruth) -> LedgerEntry:
    return LedgerEntry(
        key=product.key,
        version=product.version,
        deleted_version=None if product.live else product.version + 1,
        update=_update(product),
        attributes=_attributes(product),
        indexed=product.live,
    )


def change(product: ProductTruth, decision: Decision, position: int) -> Record:
    event = ProductChange(
        event_id=change_event_id(product.key, f"catalog.updates/0/{position}"),
        key=product.key,
        decision=decision,
        version=product.version,
        changed_at=NOW,
        product=None if decision is Decision.DELETED else product_of(product),
    )
    return Record(product.key, event.model_dump_json().encode())


def matches(truth: Truth, look_id: str) -> Record:
    look = next(look for look in truth.looks if look.look_id == look_id)
    layers = []
    for department, layer in look.layers.items():
        keys = list(layer.products)
        if layer.kind == "near":
            keys = [
                next(key for key, p in truth.live().items() if p.garment.department == department)
            ]
        x0, y0, x1, y1 = layer.box
        layers.append(
            LayerMatch(
                layer=Department(department),
                query=f"the {department}",
                region=Region(x0=x0, y0=y0, x1=x1, y1=y1),
                products=tuple(
                    MatchedProduct(
                        rank=rank,
                        score=1 / rank,
                        similarity=0.9,
                        product=product_of(truth.products[key]),
                    )
                    for rank, key in enumerate(keys, start=1)
                ),
                abstained=None if keys else "below-threshold",
            )
        )
    event = LookMatches(
        event_id=matched_event_id(look_id),
        look_id=look_id,
        layers=tuple(layers),
        timings_ms={"describe": 10.0, "retrieve": 30.0},
        matched_at=NOW,
    )
    return Record(look_id, event.model_dump_json().encode())


def product_of(product: ProductTruth) -> Product:
    vendor, product_id = product.key.split(":", 1)
    return Product(
        key=product.key,
        vendor=vendor,
        product_id=product_id,
        version=product.version,
        update=_update(product),
        attributes=_attributes(product),
        image_hash=product.picture,
    )


def _update(product: ProductTruth) -> ProductUpdate:
    return ProductUpdate(
        title=f"{product.brand} {product.garment.type}",
        brand=product.brand,
        price=_price(product),
        stock=product.stock,
    )


def _attributes(product: ProductTruth) -> StandardAttributes:
    def fact(value: str) -> Attribute:
        return Attribute(value=value, source="rule")

    def guess(value: str) -> Attribute:
        return Attribute(value=value, source="model", confidence=0.9)

    garment = product.garment
    category = fact if product.category_stated else guess
    return StandardAttributes(
        department=category(garment.department),
        category=category(garment.type),
        gender=None if product.gender is None else fact(product.gender),
        colour=(fact if product.colour_stated else guess)(garment.colour),
        pattern=(fact if product.pattern_stated else guess)(garment.pattern),
    )


def _price(product: ProductTruth) -> Money:
    return Money(amount_minor=product.price_minor, currency=product.currency)
