"""One small demo for all tests of the command line, because it takes about a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from operators.stores.redis.embedded_server import stop_left_over
from tests.services.command_line import Demo, looksync


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo")
    options = ("--seed", "3", "--products", "240", "--looks", "12", "--folder", "run")
    ended = looksync("demo", *options, cwd=home)
    yield Demo(home, ended.returncode, ended.stdout + ended.stderr)
    stop_left_over(home / "run" / "valkey")
