"""A small shop's catalog for flows that run as processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.stores.redis.embedded_server import stop_left_over
from tests.flows.small_catalog import SmallCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SmallCatalog]:
    made = SmallCatalog(tmp_path)
    made.prepare()
    yield made
    stop_left_over(made.settings.redis.folder)
