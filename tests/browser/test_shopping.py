"""From a look to a vendor's page, as people go: on a phone and a desktop, in each storefront."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from dataflows.wiring.topics import FlowTopic
from schemas.interactions import Interaction
from tests.api.requests import until
from tests.browser.conftest import DEVICES, Open
from tests.shop.conftest import send_look


@pytest.mark.parametrize("device", DEVICES)
async def test_from_a_look_to_the_vendors_page(open_shop: Open, device: str) -> None:
    async with open_shop() as shop:
        await send_look(shop.served, market="US")
        page = await shop.visit("/us", device)
        await page.get_by_role("link", name="Shop this look").click()
        sheet = page.get_by_role("dialog")
        await expect(sheet.get_by_role("heading", name="Top")).to_be_visible()
        await sheet.get_by_role("link", name="Red striped shirt").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Red striped shirt")
        await page.get_by_role("link", name="Red striped blouse").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Red striped blouse")
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name="Buy at").click()
        bought = await opened.value
        await bought.wait_for_url("http://vendor.example/northfold:blouse")
        topic = shop.served.parts.interactions
        await until(lambda: bool(clicks(topic)))
        assert clicks(topic) == [("click", "northfold:blouse")]


@pytest.mark.parametrize("device", DEVICES)
async def test_a_piece_is_reached_from_its_button(open_shop: Open, device: str) -> None:
    async with open_shop() as shop:
        await send_look(shop.served, market="US")
        page = await shop.visit("/us/looks/look-1", device)
        pieces = page.get_by_role("navigation", name="Pieces")
        await pieces.get_by_role("link", name="Shoes").click()
        await expect(page.get_by_role("heading", name="Shoes")).to_be_in_viewport()


@pytest.mark.parametrize(
    ("store", "language", "title", "spoken", "price"),
    [
        ("in-en", "en-IN", "लाल धारीदार शर्ट", "hi", "₹1,04,999"),
        ("in-hi", "hi-IN", "लाल धारीदार शर्ट", "hi", "₹1,04,999"),
        ("us", "en-US", "Red striped shirt", "en", "$129.50"),
        ("jp", "ja-JP", "赤いストライプのシャツ", "ja", "12,800"),
    ],
)
async def test_each_market_in_its_language(
    open_shop: Open, store: str, language: str, title: str, spoken: str, price: str
) -> None:
    market = language.partition("-")[2]
    async with open_shop() as shop:
        await send_look(shop.served, market=market)
        page = await shop.visit(f"/{store}", "phone")
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await page.locator(".look .shop").click()
        first = page.get_by_role("dialog").locator(".card").first
        await expect(first).to_contain_text(title)
        await expect(first).to_contain_text(price)
        await expect(first.locator(".title")).to_have_attribute("lang", spoken)
        await first.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        await expect(page.locator(".side .price").first).to_contain_text(price)
        assert ("税込" in await page.locator(".side .price").first.inner_text()) == (market == "JP")


async def test_another_storefront_shows_the_same_page_in_its_language(open_shop: Open) -> None:
    async with open_shop() as shop:
        page = await shop.visit("/in-en/products/zari:shirt")
        stores = page.get_by_role("contentinfo")
        await stores.locator('a[hreflang="hi-IN"]').click()
        await page.wait_for_url("**/in-hi/products/zari:shirt")
        await expect(page.locator("html")).to_have_attribute("lang", "hi-IN")


def clicks(topic: FlowTopic) -> list[tuple[str, str]]:
    """The interactions on ``topic``: kind and product."""
    records = [record for p in range(topic.partitions) for record in topic.read(p)]
    found = [Interaction.model_validate_json(record.value) for record in records]
    return [(one.kind, one.product_key) for one in found]
