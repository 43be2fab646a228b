"""A picture of one's own: its layers and their products, which follow words and filters."""

from __future__ import annotations

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.api.requests import png
from tests.browser.conftest import DEVICES, Open


async def upload(page: Page) -> None:
    """Choose the painted outfit, which is sent at once, and wait for its products."""
    picture: FilePayload = {"name": "me.png", "mimeType": "image/png", "buffer": png()}
    await page.locator("#picture").set_input_files(picture)
    await expect(page.get_by_role("heading", name="Shoes")).to_be_visible()


@pytest.mark.parametrize("device", DEVICES)
async def test_an_upload_finds_products_that_follow_what_is_asked(
    open_shop: Open, device: str
) -> None:
    async with open_shop() as shop:
        page = await shop.visit("/us/try", device)
        await upload(page)
        await expect(page.locator(".picture rect")).to_have_count(3)
        top = page.locator("section.piece").filter(has=page.get_by_role("heading", name="Top"))
        await expect(top.locator(".card").first).to_contain_text("Red striped")
        await top.get_by_label("Up to USD").fill("50")
        await top.get_by_role("button", name="Update").click()
        await expect(top).to_contain_text("No product of this kind is sold here yet.")
        await top.get_by_label("Up to USD").fill("500")
        await top.get_by_role("button", name="Update").click()
        await expect(top.locator(".card").first).to_contain_text("Red striped")


async def test_what_is_no_picture_is_said(open_shop: Open) -> None:
    async with open_shop() as shop:
        page = await shop.visit("/us/try")
        text: FilePayload = {"name": "me.png", "mimeType": "image/png", "buffer": b"no picture"}
        await page.locator("#picture").set_input_files(text)
        await expect(page.get_by_role("alert")).to_contain_text("The picture could not be read")
