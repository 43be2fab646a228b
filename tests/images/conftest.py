from __future__ import annotations

import pytest
from picture_host import picture_host

from operators.images.fetch import PictureFetcher
from schemas.settings import ImageSettings


@pytest.fixture
async def host():
    async with picture_host() as running:
        yield running


@pytest.fixture
def settings(tmp_path):
    """Small limits, so that tests reach them quickly; the test server's address allowed."""
    (tmp_path / "root").mkdir()
    return ImageSettings(
        allowed_roots=(tmp_path / "root",),
        allow_private_addresses=True,
        max_bytes=200_000,
        max_pixels=4_000_000,
        max_side=256,
        timeout_seconds=10.0,
        http_cache=None,
    )


@pytest.fixture
async def open_fetcher():
    """Makes fetchers and closes them after the test."""
    opened = []

    def make(settings):
        opened.append(PictureFetcher(settings))
        return opened[-1]

    yield make
    for fetcher in opened:
        await fetcher.close()
