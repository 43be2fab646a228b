"""Products as pages show them: price and stock in words, and why each was matched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.looks import LayerMatch, MatchedProduct
from services.shop.storefronts import Storefront

FEW = 5
"""From this many pieces on down, pages say how many are left."""

State = Literal["in-stock", "few", "sold-out", "gone"]
NAMED = {"category": "kind", "colour": "colour", "pattern": "pattern"}
"""Attributes that pages show, and the texts that name them. They also say why a product was
matched."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What changes from moment to moment."""

    key: str
    price: str | None
    list_price: str | None
    """Only when it is higher."""
    off: str | None
    state: State
    stock: str
    """In words."""
    tax_note: str

    @property
    def live(self) -> bool:
        """Whether it can be bought."""
        return self.state in ("in-stock", "few")


@dataclass(frozen=True, slots=True)
class Card:
    """A product in a list."""

    key: str
    title: str
    title_language: str | None
    brand: str | None
    href: str
    picture: str
    facts: Facts
    exact: bool | None = None
    """None: it was not matched to anything."""
    chance: str | None = None
    why: str | None = None


def facts_of(key: str, entry: LedgerEntry | None, store: Storefront, moment: datetime) -> Facts:
    """The facts of a product at ``moment``; ``entry``: None: it is not in the ledger."""
    texts = store.texts
    if entry is None or not entry.exists:
        return Facts(key, None, None, None, "gone", texts("gone"), "")
    update, price = entry.update, entry.update.price_at(moment)
    before = update.list_price or update.price
    reduced = (
        price is not None
        and before is not None
        and before.currency == price.currency
        and before.amount_minor > price.amount_minor
    )
    state: State = "in-stock"
    stock = texts("in_stock")
    if not update.in_stock:
        state, stock = "sold-out", texts("sold_out")
    elif update.stock is not None and update.stock <= FEW:
        state, stock = "few", texts("few", count=update.stock)
    off = None
    if reduced and price is not None and before is not None:
        share = 1 - price.amount_minor / before.amount_minor
        off = texts("off", percent=store.percent(share)) if share >= 0.01 else None
    return Facts(
        key=key,
        price=store.price(price) if price else None,
        list_price=store.price(before) if reduced and before else None,
        off=off,
        state=state,
        stock=stock,
        tax_note=texts("tax_note") if price is not None and price.currency == "JPY" else "",
    )


def product_path(key: str, store: Storefront, look_id: str | None = None) -> str:
    """The address of a product's page; ``look_id``: the look it was found in."""
    seen_in = f"?look={quote(look_id, safe='')}" if look_id else ""
    return f"/{store.path}/products/{quote(key, safe=':')}{seen_in}"


def card_of(
    entry: LedgerEntry, store: Storefront, moment: datetime, look_id: str | None = None
) -> Card:
    """A product; its facts say so when it is gone."""
    return _card(entry.update, facts_of(entry.key, entry, store, moment), store, look_id)


def matched_card(
    one: MatchedProduct, layer: LayerMatch, store: Storefront, moment: datetime, look_id: str | None
) -> Card:
    """A product that was matched to ``layer``, with why."""
    entry = LedgerEntry.model_construct(
        key=one.product.key, version=0, update=one.product.update, deleted_version=None
    )
    facts = facts_of(one.product.key, entry, store, moment)
    card = _card(one.product.update, facts, store, look_id)
    chance = None
    if one.probability is not None:
        key = "exact_chance" if one.outcome == "exact" else "similar_chance"
        chance = store.texts(key, chance=store.percent(one.probability))
    card = with_reason(card, one.product.attributes, layer.query, store)
    return replace(card, exact=one.outcome == "exact", chance=chance)


def _card(update: ProductUpdate, facts: Facts, store: Storefront, look_id: str | None) -> Card:
    return Card(
        key=facts.key,
        title=update.title or facts.key,
        title_language=update.language,
        brand=update.brand,
        href=product_path(facts.key, store, look_id),
        picture=f"/pictures/products/{quote(facts.key, safe=':')}",
        facts=facts,
    )


def with_reason(card: Card, attributes: StandardAttributes, query: str, store: Storefront) -> Card:
    """``card`` with what the product has in common with the words that describe the layer."""
    words = f" {query.casefold().replace('-', ' ')} "
    shared = [
        shown
        for name in NAMED
        if (attribute := getattr(attributes, name)) is not None
        and f" {attribute.value.casefold().replace('-', ' ')} " in words
        and (shown := attribute_name(name, attribute, store))
    ]
    texts = store.texts
    what = texts("worn_join").join(shared)
    return replace(card, why=texts("why", what=what) if shared else texts("why_picture"))


def attribute_name(name: str, attribute: Attribute, store: Storefront) -> str:
    """The value of an attribute in the language of ``store``, else in English."""
    group = {
        "department": "department",
        "category": "category_name",
        "colour": "colour_name",
        "pattern": "pattern_name",
    }[name]
    return store.texts.name(group, attribute.value) or attribute.value
