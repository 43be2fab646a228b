"""File topics satisfy the contract of topics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.settings import load_settings
from tests.flows.topic_contract import TopicContract, World


class TestFileTopics(TopicContract):
    @pytest.fixture
    def worlds(self) -> Callable[[Path], World]:
        return lambda base: World(
            load_settings(
                topics={"folder": base / "topics", "partitions": 2},
                stream={"recovery_folder": base / "recovery", "epoch_seconds": 0.02},
            )
        )
