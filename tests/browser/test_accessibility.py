"""WCAG 2.2 AA: axe-core finds nothing, and all can be reached with the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.api.requests import image, png
from tests.browser.conftest import DEVICES, Open
from tests.shop.conftest import bury, send_look

AXE = (Path(__file__).parent / "axe-core-4.14.1" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
MOST_TABS = 80


async def violations(page: Page) -> list[str]:
    """What axe-core finds on the page: rule, element, and what is wrong."""
    await page.evaluate(AXE)
    found = await page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [
        f"{rule['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("store", "market"), [("in-hi", "IN"), ("us", "US"), ("jp", "JP")])
async def test_axe_finds_nothing(open_shop: Open, store: str, market: str, device: str) -> None:
    vendor = {"IN": "zari", "US": "northfold", "JP": "kisetsu"}[market]
    async with open_shop() as shop:
        found = {}
        page = await shop.visit(f"/{store}", device)
        found["empty feed"] = await violations(page)
        look = {"look_id": "look-0", "image": image(), "market": market}
        await shop.served.client.post("/v1/looks", json=look)
        await page.goto(f"/{store}/looks/look-0")
        found["waiting"] = await violations(page)
        await page.goto("about:blank")  # the page that waits would be loaded again
        await send_look(shop.served, market=market)
        for path in ("", "/looks/look-1", f"/products/{vendor}:shirt?look=look-1", "/nowhere"):
            await page.goto(f"/{store}{path}")
            found[path] = await violations(page)
        await page.goto(f"/{store}")
        await page.locator(".look .shop").first.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        found["sheet"] = await violations(page)
        await page.goto(f"/{store}/try")
        found["try"] = await violations(page)
        await page.locator("#picture").set_input_files(
            {"name": "me.png", "mimeType": "image/png", "buffer": png()}
        )
        await expect(page.locator("#tried .card").first).to_be_visible()
        found["tried"] = await violations(page)
        assert {name: one for name, one in found.items() if one} == {}


@pytest.mark.parametrize("device", DEVICES)
async def test_axe_finds_nothing_on_the_operator_page(open_shop: Open, device: str) -> None:
    async with open_shop() as shop:
        bury(shop.served, "invalid-price")
        page = await shop.visit("/operator", device)
        await expect(page.get_by_role("button", name="Replay")).to_be_visible()
        found = [await violations(page)]
        await page.get_by_role("button", name="Replay").click()
        await expect(page.get_by_role("status").first).to_contain_text("1 dead letter was")
        await page.goto("/operator/coverage")
        found.append(await violations(page))
        assert found == [[], []]


async def test_the_keyboard_alone_is_enough(open_shop: Open) -> None:
    async with open_shop() as shop:
        await send_look(shop.served, market="US")
        page = await shop.visit("/us")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        icon = page.get_by_role("link", name="Shop this look")
        await tab_to(icon)
        await page.keyboard.press("Enter")
        sheet = page.get_by_role("dialog")
        await expect(sheet).to_be_visible()
        await tab_to(sheet.get_by_role("link", name="Red striped shirt"))
        await page.keyboard.press("Escape")
        await expect(sheet).to_be_hidden()
        await expect(icon).to_be_focused()

        await page.keyboard.press("Enter")
        await tab_to(sheet.get_by_role("link", name="See the whole look"))
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/us/looks/look-1")
        await tab_to(page.get_by_role("navigation", name="Pieces").get_by_role("link", name="Top"))
        await page.keyboard.press("Enter")
        await tab_to(page.get_by_role("link", name="Red striped shirt").first)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/us/products/northfold:shirt?look=look-1")
        await tab_to(page.get_by_role("link", name="Buy at"))
        async with page.context.expect_page() as opened:
            await page.keyboard.press("Enter")
        await (await opened.value).wait_for_url("http://vendor.example/northfold:shirt")


async def tab_to(target: Locator) -> None:
    """Press Tab until ``target`` has the focus, which must then be seen."""
    for _ in range(MOST_TABS):
        if await target.evaluate("one => one === document.activeElement"):
            outline = await target.evaluate("one => getComputedStyle(one).outlineStyle")
            assert outline != "none", "the focus can be seen"
            return
        await target.page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached with {MOST_TABS} tabs")
