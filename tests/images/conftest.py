from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from operators.images.fetch import PictureFetcher
from schemas.settings import ImageSettings
from tests.images.picture_host import PictureHost, picture_host

OpenFetcher: TypeAlias = Callable[[ImageSettings], PictureFetcher]


class LoopClock:
    """The event loop's time, which a test can advance: time-outs expire without any waiting."""

    def __init__(self, real_time: Callable[[], float]) -> None:
        self._real_time = real_time
        self._advanced = 0.0

    def time(self) -> float:
        return self._real_time() + self._advanced

    def advance(self, seconds: float) -> None:
        self._advanced += seconds


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> LoopClock:
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop.time)
    monkeypatch.setattr(loop, "time", clock.time)
    return clock


@pytest.fixture
async def host() -> AsyncIterator[PictureHost]:
    async with picture_host() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> ImageSettings:
    """Small limits, so that tests reach them quickly; the test server's address is allowed."""
    (tmp_path / "root").mkdir()
    return ImageSettings(
        allowed_roots=(tmp_path / "root",),
        private_hosts=("127.0.0.0/8", "localhost"),
        ports=(80, *range(1024, 65536)),
        max_bytes=200_000,
        max_pixels=4_000_000,
        max_side=256,
        timeout_seconds=60.0,
        http_cache=None,
    )


@pytest.fixture
async def open_fetcher() -> AsyncIterator[OpenFetcher]:
    """Opens fetchers and closes them after the test."""
    opened: list[PictureFetcher] = []

    def open_one(settings: ImageSettings) -> PictureFetcher:
        opened.append(PictureFetcher(settings))
        return opened[-1]

    yield open_one
    for fetcher in opened:
        await fetcher.close()
