"""The shop's pages on a slow phone: when the largest thing is painted, how much shifts, and how
much is transferred.

    python -m benchmarks.shop_pages DEMO_FOLDER [LOADS]

Serves the demo's world on a free port of 127.0.0.1 and opens the feed, a look and a product LOADS
(5) times each in Chromium, every time with an empty cache: a phone's viewport, the network that
Lighthouse calls slow 4G, a processor four times slower. Medians; all loads of a page are listed.
The browser shares the cores with the server.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, async_playwright

from benchmarks.api_load import ready, serving

STORE = "us"
PHONE: dict[str, Any] = {
    "viewport": {"width": 412, "height": 823},
    "device_scale_factor": 1.75,
    "is_mobile": True,
    "has_touch": True,
}
SLOW_4G = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
"""Milliseconds and bytes a second, as Lighthouse has them; so are PHONE and SLOWER."""
SLOWER = 4
TARGETS = {"LCP": "2.5 s", "CLS": ".1", "HTML + CSS": "60 kB", "JS": "40 kB"}
SETTLED_MS = 2000
"""After the load event; the largest paint may come later."""

PAINTED = """settled => new Promise(done => {
  let largest = {startTime: NaN, element: null}, shift = 0;
  new PerformanceObserver(list => { largest = list.getEntries().at(-1); })
    .observe({type: "largest-contentful-paint", buffered: true});
  new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) shift += one.value;
  }).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done({
    lcp: largest.startTime / 1000,
    what: largest.element ? largest.element.outerHTML.slice(0, 60) : "nothing",
    cls: shift,
  }), settled);
})"""


@dataclass(frozen=True, slots=True)
class Load:
    """A page that was loaded once."""

    lcp: float
    """Seconds until the largest contentful paint."""
    what: str
    """That was painted."""
    cls: float
    sent: Counter[str]
    """Bytes as transferred, by type of resource."""


async def load(browser: Browser, address: str) -> Load:
    """Open ``address`` as a new visitor."""
    context = await browser.new_context(**PHONE)
    page = await context.new_page()
    tools = await context.new_cdp_session(page)
    types: dict[str, str] = {}
    sent: Counter[str] = Counter()
    tools.on("Network.responseReceived", lambda one: types.update({one["requestId"]: one["type"]}))
    tools.on(
        "Network.loadingFinished",
        lambda one: sent.update({types.get(one["requestId"], "Other"): one["encodedDataLength"]}),
    )
    await tools.send("Network.enable")
    await tools.send("Network.emulateNetworkConditions", SLOW_4G)
    await tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    await page.goto(address, wait_until="load", timeout=60_000)
    painted = await page.evaluate(PAINTED, SETTLED_MS)
    await context.close()
    return Load(painted["lcp"], painted["what"], painted["cls"], sent)


def report(name: str, loads: Sequence[Load]) -> str:
    """One line of figures."""
    times = [one.lcp for one in loads]
    sent = loads[0].sent
    kilobytes = {
        "HTML + CSS": sent["Document"] + sent["Stylesheet"],
        "JS": sent["Script"],
        "pictures": sent["Image"],
        "all": sent.total(),
    }
    sizes = ", ".join(f"{what} {size / 1000:.0f} kB" for what, size in kilobytes.items())
    every = " ".join(f"{time:.2f}" for time in times)
    return (
        f"{name}: LCP {statistics.median(times):.2f} s ({every}) of {loads[-1].what}; "
        f"CLS {max(one.cls for one in loads):.3f}; {sizes}"
    )


async def pages(client: httpx.AsyncClient) -> dict[str, str]:
    """Name -> path."""
    while True:
        looks = (await client.get("/v1/looks", params={"limit": 100})).raise_for_status().json()
        for look in looks["looks"]:
            keys = [
                one["product"]["key"]
                for layer in look["layers"]
                for one in layer["products"]
                if one["product"]["update"].get("market") == STORE.upper()
            ]
            if keys:
                home, seen_in = f"/{STORE}", f"look={look['look_id']}"
                return {
                    "feed": home,
                    "look": f"{home}/looks/{look['look_id']}",
                    "product": f"{home}/products/{keys[0]}?{seen_in}",
                }
        await asyncio.sleep(0.5)  # the matches are still being read


async def measure(home: str, loads: int) -> None:
    """Print all figures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    async with (
        httpx.AsyncClient(base_url=home, timeout=60.0) as client,
        async_playwright() as playwright,
    ):
        await ready(client)
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        print("targets:", ", ".join(f"{what} < {most}" for what, most in TARGETS.items()))
        for name, path in (await pages(client)).items():
            await load(browser, home + path)  # the server's caches
            print(
                report(name, [await load(browser, home + path) for _ in range(loads)]), flush=True
            )
        await browser.close()


async def main(folder: Path, loads: int) -> None:
    with serving(folder) as (address, _):
        await measure(address, loads)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5))
