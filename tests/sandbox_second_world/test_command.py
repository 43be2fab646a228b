"""``looksync eval --second-world`` refuses what it cannot measure."""

from __future__ import annotations

import pytest
from rich.console import Console

from sandbox.second_world import second_world
from schemas.errors import Misconfigured
from schemas.settings import Settings, VlmSettings
from services.cli.second_world import evaluate_second_world


def test_the_model_must_be_set_to_be_measured() -> None:
    settings = Settings(vlm=VlmSettings(kind="none"))
    world = second_world(seed=1, products=11, looks=1)
    with pytest.raises(Misconfigured, match=r"vlm\.kind"):
        evaluate_second_world(settings, world, with_model=True, console=Console())
