"""A product as its page shows it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import structlog

from operators.matching.browse import Wanted, like_product
from schemas.catalog import LedgerEntry
from schemas.errors import LookSyncError
from services.api.context import Api
from services.api.looks import read_match
from services.shop.cards import NAMED, Card, attribute_name, card_of
from services.shop.look_views import FEED_PICTURE, LookView, look_view, read_look
from services.shop.product_pictures import MOST
from services.shop.size_charts import SizeChart, chart_for, size_labels
from services.shop.storefronts import Storefront

log = structlog.get_logger()

SIMILAR, WORN = 6, 6
"""Shown at most: one row of a wide page."""


@dataclass(frozen=True, slots=True)
class ProductView:
    """A product with everything around it."""

    card: Card
    pictures: list[str]
    """Their addresses; none once it is gone."""
    description: str
    shop: str
    attributes: list[tuple[str, str]]
    """Names and values."""
    sizes: list[str]
    chart: SizeChart | None
    link: str
    """To its shop, by way of us."""
    look: LookView | None
    """It was found in."""
    worn: list[LookView]
    """Other looks that wear it."""
    complete: list[Card]
    """Of the look's other layers, the best product each."""
    similar: list[Card]


async def read_product(
    api: Api, key: str, store: Storefront, look_id: str | None
) -> ProductView | None:
    """The product as of now; None when nothing is known of it."""
    entry = await api.parts.match.ledger.read(key)
    if entry is None:
        return None
    moment = datetime.now(UTC)
    look = await read_look(api, look_id, store) if look_id else None
    complete = []
    if look is not None:
        complete = [
            layer.cards[0] for layer in look.fitting if all(card.key != key for card in layer.cards)
        ]
    return ProductView(
        card=card_of(entry, store, moment, look_id),
        pictures=_pictures(entry) if entry.exists else [],
        description=entry.update.description,
        shop=key.partition(":")[0].capitalize(),
        attributes=_attributes(entry, store),
        sizes=size_labels(entry.attributes.sizes),
        chart=chart_for(entry.attributes, store),
        link=f"/r/{api.links.token(key, look_id)}",
        look=look,
        worn=await _worn(api, key, store, look_id),
        complete=complete,
        similar=await _similar(api, key, store, moment),
    )


async def _worn(api: Api, key: str, store: Storefront, but: str | None) -> list[LookView]:
    look_ids = [one for one in await api.parts.kept.wearing(key) if one != but][:WORN]
    events = await asyncio.gather(*(read_match(api, one, store.market) for one in look_ids))
    return [
        look_view(event, FEED_PICTURE, store, look_id=event.look_id)
        for event in events
        if event is not None
    ]


def _pictures(entry: LedgerEntry) -> list[str]:
    count = max(1, len(entry.update.image_urls[:MOST]))
    return [f"/pictures/large/{number}/{quote(entry.key, safe=':')}" for number in range(count)]


def _attributes(entry: LedgerEntry, store: Storefront) -> list[tuple[str, str]]:
    texts, own = store.texts, entry.attributes
    shown = []
    for name, text in NAMED.items():
        attribute = getattr(own, name)
        if attribute is not None:
            shown.append((texts(text), attribute_name(name, attribute, store)))
    if own.gender is not None:
        shown.append((texts("gender"), texts(own.gender.value)))
    return shown


async def _similar(api: Api, key: str, store: Storefront, moment: datetime) -> list[Card]:
    """Products like it that are sold here; none when the index does not answer."""
    wanted = Wanted(market=store.market)
    try:
        found = await like_product(key, wanted, api.parts.match, SIMILAR, moment)
    except LookSyncError as error:
        log.warning("similar products are left out", product=key, error=str(error))
        return []
    return [card_of(one.entry, store, moment) for one in found or ()]
