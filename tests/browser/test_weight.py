"""Pages are light and stand still."""

from __future__ import annotations

import pytest
from playwright.async_api import Request

from tests.browser.conftest import Open
from tests.shop.conftest import send_look

LOOKS = 12
MOST_SHIFT = 0.1
"""Of the layout, cumulative: "good" by web.dev/articles/cls."""

SHIFT = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(sum), 500);
})"""


@pytest.mark.parametrize("path", ["/us", "/us/looks/look-1", "/us/products/northfold:shirt"])
async def test_a_page_is_light_and_stands_still(open_shop: Open, path: str) -> None:
    async with open_shop() as shop:
        for number in range(LOOKS):
            await send_look(shop.served, f"look-{number}", market="US")
        page = await shop.visit("about:blank", "phone")
        loaded: list[Request] = []
        page.on("requestfinished", lambda one: loaded.append(one))
        await page.goto(path)
        shift = await page.evaluate(SHIFT)
        sizes = {"document": 0, "stylesheet": 0, "script": 0}
        for one in loaded:
            if one.resource_type in sizes:
                sizes[one.resource_type] += (await one.sizes())["responseBodySize"]
        assert all(sizes.values())
        assert sizes["document"] + sizes["stylesheet"] < 60_000
        assert sizes["script"] < 40_000
        assert shift < MOST_SHIFT
