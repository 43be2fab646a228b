"""The shop in a real Chromium: pages over the painted shop, served on 127.0.0.1."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from operators.matching.parts import MatchParts
from tests.api.conftest import (
    Serve,
    empty_shop,
    painted_taxonomy,
    serve,
    shared_valkey,
    taxonomy,
    valkey,
)
from tests.browser.stocked import HOST, stock
from tests.shop.conftest import Visit, Visited, visit

__all__ = [
    "Serve",
    "empty_shop",
    "painted_taxonomy",
    "serve",
    "shared_valkey",
    "taxonomy",
    "valkey",
    "visit",
]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # root in a container has no user namespaces
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
)
DEVICES: dict[str, dict[str, Any]] = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "desktop": {"viewport": {"width": 1280, "height": 800}},
}
PATIENCE_MS = 20_000
"""For a busy machine; only ends what hangs."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The shop, and a browser to visit it with."""

    address: str
    served: Visited
    browser: Browser

    async def visit(self, path: str, device: str = "desktop", **context: Any) -> Page:
        """A page of a new visitor."""
        opened = await self.browser.new_context(
            base_url=self.address, **{**DEVICES[device], **context}
        )
        opened.set_default_timeout(PATIENCE_MS)
        page = await opened.new_page()
        await page.goto(path)
        return page


Open = Callable[..., AbstractAsyncContextManager[Shop]]


@pytest.fixture
async def parts(empty_shop: MatchParts) -> MatchParts:
    """A shop that sells the painted outfit in each market."""
    await stock(empty_shop)
    return empty_shop


@pytest.fixture
def chromium() -> str:
    """The browser's path; without one the test is skipped."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no chromium on the PATH; `make browser` installs Debian's")
    return found


@pytest.fixture
def open_shop(chromium: str, visit: Visit) -> Open:
    """Serve the shop with these settings of the API, and start the browser."""

    @asynccontextmanager
    async def start(**own: object) -> AsyncIterator[Shop]:
        async with visit(**own) as served, _listening(served.app) as address:
            # Nothing is asked for outside this machine, not even the vendors' pages.
            here = address.removeprefix("http://")
            hosts = f"--host-resolver-rules=MAP {HOST} {here}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=chromium, args=[*ARGUMENTS, hosts]
                )
                yield Shop(address, served, browser)
                await browser.close()

    return start


class _Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _listening(app: FastAPI) -> AsyncIterator[str]:
    """Serve ``app``, whose lifespan runs already; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = _Server(
            uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        )
        running = asyncio.create_task(server.serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await running
