"""Pages change without a reload."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from sse_starlette import ServerSentEvent

from schemas.money import Money
from services.shop.live import live_events
from services.shop.storefronts import STOREFRONTS
from tests.shop.conftest import Visit, change, send_look

INDIA = STOREFRONTS["in-hi"]


async def take(events: AsyncIterator[ServerSentEvent], count: int) -> list[tuple[str, Any]]:
    """Names and contents of the next events."""
    found: list[tuple[str, Any]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            event = await anext(events)
            assert event.event is not None
            found.append((event.event, json.loads(str(event.data))))
    return found


async def test_price_and_stock_of_the_products_on_the_page_arrive(visit: Visit) -> None:
    async with visit() as served:
        followed = frozenset(("a:shirt", "a:jeans"))
        async with aclosing(live_events(served.api, INDIA, followed)) as events:
            reading = asyncio.create_task(take(events, 2))
            await asyncio.sleep(0)
            await change(served, "a:boots", stock=0)
            price = Money(amount_minor=12_345_600, currency="INR")
            await change(served, "a:shirt", price=price.model_dump(), stock=3)
            await change(served, "a:jeans", stock=0)
            (_, shirt), (name, jeans) = await reading
        assert name == "facts"
        assert (shirt["key"], shirt["price"], shirt["state"]) == ("a:shirt", "₹1,23,456", "few")
        assert "सिर्फ़ 3 बचे हैं" in shirt["html"]
        assert (jeans["key"], jeans["state"]) == ("a:jeans", "sold-out")
        assert "बिक गया" in jeans["html"]


async def test_a_page_that_waits_hears_of_its_match_and_a_feed_of_new_looks(visit: Visit) -> None:
    async with visit() as served:
        mine = live_events(served.api, INDIA, frozenset(), "look-1")
        feed = live_events(served.api, INDIA, frozenset())
        america = live_events(served.api, STOREFRONTS["us"], frozenset(), "look-2")
        async with aclosing(mine), aclosing(feed), aclosing(america):
            reading = [asyncio.create_task(take(one, 1)) for one in (mine, feed, america)]
            await asyncio.sleep(0)
            await send_look(served, "look-1")
            assert await reading[0] == [("matched", {})]
            assert await reading[1] == [("look", {})]
            await send_look(served, "look-2")
            assert await reading[2] == [("matched", {})], "only the look that it waits for"


async def test_a_page_that_has_missed_events_is_told(visit: Visit) -> None:
    async with visit() as served:
        events = live_events(served.api, INDIA, frozenset(), None, "unknown")
        async with aclosing(events):
            assert await take(events, 1) == [("gap", {})]


async def test_what_sells_out_leaves_the_look_and_stays_on_its_page(visit: Visit) -> None:
    async with visit() as served:
        await send_look(served)
        await change(served, "a:jeans", stock=0)
        look = (await served.client.get("/in-en/looks/look-1")).text
        assert "a:jeans" not in look
        assert "sold out or no longer sold here" in look
        assert "Nothing close enough" not in look
        assert "Sold out" in (await served.client.get("/in-en/products/a:jeans")).text
