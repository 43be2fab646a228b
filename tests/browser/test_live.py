"""Pages change while people look at them, without a reload."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from playwright.async_api import Page, expect

from operators.vocabulary.views import product_of
from schemas.base import encode
from schemas.catalog import Decision, ProductChange
from schemas.money import Money
from schemas.records import Record
from tests.api.conftest import Served
from tests.api.requests import image
from tests.browser.conftest import Open
from tests.shop.conftest import send_look

SHIRT = "northfold:shirt"


async def change(served: Served, key: str, **changes: object) -> None:
    """Apply an update to the ledger and publish it, as the catalog flow does."""
    ledger = served.parts.match.ledger
    entry = await ledger.read(key)
    assert entry is not None
    update = entry.update.model_copy(update=changes)
    entry = entry.model_copy(update={"version": (entry.version or 0) + 1, "update": update})
    await ledger.write(entry)
    now = datetime.now(UTC)
    event = ProductChange(
        event_id=uuid.uuid4(),
        key=key,
        decision=Decision.UPDATED,
        version=entry.version,
        changed_at=now,
        product=product_of(entry, now),
    )
    served.parts.changes.append([Record(key, encode(event))])


async def followed(page: Page) -> None:
    """Load the page again, until it follows what it shows."""
    async with page.expect_response("**/live?**"):
        await page.reload()


async def test_a_sell_out_is_shown_where_people_look(open_shop: Open) -> None:
    async with open_shop() as shop:
        await send_look(shop.served, market="US")
        for path in (f"/us/products/{SHIRT}", "/us/looks/look-1"):
            await change(shop.served, SHIRT, stock=3)
            page = await shop.visit(path)
            await followed(page)
            shirt = page.locator(f'[data-live="{SHIRT}"]').first
            await expect(shirt).to_contain_text("3 left")
            await change(shop.served, SHIRT, stock=0)
            await expect(shirt).to_contain_text("Sold out")
            await expect(shirt.get_by_role("status")).to_have_text("Changed just now")


async def test_another_price_is_shown_and_said(open_shop: Open) -> None:
    async with open_shop() as shop:
        page = await shop.visit(f"/us/products/{SHIRT}", "phone")
        await followed(page)
        await change(shop.served, SHIRT, price=Money(amount_minor=9900, currency="USD"))
        shirt = page.locator(f'[data-live="{SHIRT}"]').first
        await expect(shirt).to_contain_text("$99")
        await expect(shirt.get_by_role("status")).to_have_text("Price changed just now")


async def test_a_new_look_is_announced_and_shown_on_demand(open_shop: Open) -> None:
    async with open_shop() as shop:
        page = await shop.visit("/us")
        await followed(page)
        await expect(page.get_by_text("No looks yet")).to_be_visible()
        await send_look(shop.served, market="US")
        await page.get_by_role("link", name="1 new look").click()
        await expect(page.locator(".look")).to_have_count(1)


async def test_a_look_that_is_waited_for_appears(open_shop: Open) -> None:
    async with open_shop() as shop:
        look = {"look_id": "look-1", "image": image(), "market": "US"}
        await shop.served.client.post("/v1/looks", json=look)
        page = await shop.visit("/us/looks/look-1")
        await followed(page)
        await expect(page.get_by_role("heading", name="Matching this look")).to_be_visible()
        await shop.served.flow()
        await expect(page.get_by_role("heading", name="In this look")).to_be_visible()


async def test_without_a_connection_the_page_says_so(open_shop: Open) -> None:
    async with open_shop() as shop:
        page = await shop.visit("/us")
        await page.context.set_offline(True)
        await expect(page.locator(".offline")).to_be_visible()
        await page.context.set_offline(False)
        await expect(page.locator(".offline")).to_be_hidden()
