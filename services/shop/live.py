"""What changes on a page while it is open: prices and stock, matches that come, new looks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from schemas.looks import LookMatches
from schemas.webhooks import EventKind
from services.api.arrivals import Arrival
from services.api.context import Api
from services.api.stream import KEEP_ALIVE_SECONDS
from services.shop.cards import facts_of
from services.shop.rendering import render
from services.shop.routing import find_store
from services.shop.storefronts import Storefront

MOST_FOLLOWED = 200
"""Products that a page follows."""
ANYWHERE = "anywhere"
BOTH: frozenset[EventKind] = frozenset(("match", "change"))


def live_router(api: Api) -> APIRouter:
    """The stream of a page."""
    router = APIRouter()

    @router.get("/{store}/live", response_class=EventSourceResponse)
    async def live(
        store: Annotated[Storefront, Depends(find_store)],
        p: Annotated[list[str], Query(max_length=MOST_FOLLOWED)] = [],  # noqa: B006
        look: str | None = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventSourceResponse:
        """`facts` of the products `p`, `matched` once `look` is, `look` for each new look of this
        market, and `gap` when something may be missing: load the page again."""
        events = live_events(api, store, frozenset(p), look, last_event_id)
        return EventSourceResponse(events, ping=KEEP_ALIVE_SECONDS)

    return router


async def live_events(
    api: Api,
    store: Storefront,
    followed: frozenset[str],
    look: str | None = None,
    after: str | None = None,
) -> AsyncGenerator[ServerSentEvent, None]:
    """What :func:`live_router` sends; ``after``: the last event that the page has had."""
    async with aclosing(api.arrivals.stream(BOTH, after)) as arrivals:
        async for arrival in arrivals:
            if arrival is None:
                yield ServerSentEvent(data="{}", event="gap")
            elif arrival.kind == "change":
                if arrival.key in followed:
                    yield await _facts(arrival, store, api)
            elif arrival.key == look:
                yield ServerSentEvent(data="{}", event="matched", id=arrival.event_id)
            elif _sold_in(arrival) in (ANYWHERE, store.market):
                yield ServerSentEvent(data="{}", event="look", id=arrival.event_id)


async def _facts(arrival: Arrival, store: Storefront, api: Api) -> ServerSentEvent:
    entry = await api.parts.match.ledger.read(arrival.key)
    facts = facts_of(arrival.key, entry, store, datetime.now(UTC))
    data = {
        "key": facts.key,
        "state": facts.state,
        "price": facts.price,
        "html": render("_facts.html", store, facts=facts),
    }
    return ServerSentEvent(data=json.dumps(data), event="facts", id=arrival.event_id)


@lru_cache(maxsize=32)  # every open page asks the same of the same event
def _sold_in(arrival: Arrival) -> str | None:
    """The market of a look, or ANYWHERE; None when it has no products."""
    event = LookMatches.model_validate_json(arrival.data)
    has_products = any(layer.products for layer in event.layers)
    return (event.market or ANYWHERE) if has_products else None
