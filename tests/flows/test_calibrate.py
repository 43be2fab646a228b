"""An encoder without probabilities gets them from the catalog in the index."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from dataflows.jobs.calibrate import calibrate
from dataflows.run import run_flow
from evaluation.statistics import calibration_error
from operators.matching.calibration import FILE_NAME
from operators.models.sandbox_weights import sandbox_weights
from operators.stores.redis.embedded_server import stop_left_over
from sandbox.life import draw_world
from schemas.errors import Misconfigured
from schemas.looks import LookMatches
from schemas.settings import Settings
from services.cli.calibrate import run_calibrate
from services.cli.doctor import examine
from services.cli.match import match_picture
from tests.flows.drawn_shop import send_packets, settings_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A small world in the index of an encoder that has no calibration."""
    folder = tmp_path_factory.mktemp("shop")
    world = draw_world(folder / "world", seed=6, products=200, looks=1)
    shutil.copytree(
        sandbox_weights("clip"), folder / "clip", ignore=shutil.ignore_patterns(FILE_NAME)
    )
    settings = settings_in(
        folder, encoder={"model": f"local-dir:{folder / 'clip'}"}, vlm={"kind": "none"}
    )
    send_packets(world, settings)
    assert run_flow("catalog", settings, once=True) == 0
    yield settings
    stop_left_over(settings.redis.folder)


def match(settings: Settings) -> LookMatches:
    look = next((settings.index.path.parent / "world" / "looks").glob("*.jpg"))
    return asyncio.run(match_picture(str(look), settings, market=None, gender=None))


def doctor(settings: Settings) -> str:
    out = StringIO()
    asyncio.run(examine(settings, Console(file=out, width=300)))
    return out.getvalue()


def test_too_few_products_are_refused(settings: Settings) -> None:
    with pytest.raises(Misconfigured, match="products could be judged, 90 are needed"):
        asyncio.run(calibrate(settings, 30))
    assert match(settings).models["calibration"] == "uncalibrated"
    assert "uncalibrated" in doctor(settings)


def test_matches_have_probabilities_afterwards(settings: Settings) -> None:
    before = match(settings)
    assert {one.same_item for layer in before.layers for one in layer.products} == {None}

    out = StringIO()
    run_calibrate(settings, 180, Console(file=out))

    assert "calibrated on" in out.getvalue()
    after = match(settings)
    assert "calibration" not in after.models
    shown = [one for layer in after.layers for one in layer.products]
    assert shown
    assert all(one.same_item is not None and one.same_kind is not None for one in shown)
    assert "uncalibrated" not in doctor(settings)


def test_the_probabilities_hold_for_products_that_were_not_fitted_to(settings: Settings) -> None:
    held = asyncio.run(calibrate(settings, 180)).held_out
    error = calibration_error([one.item for one in held], [one.is_item for one in held])
    assert error is not None
    assert error < 0.05
    kinds = [one.kind for one in held if one.is_kind]
    others = [one.kind for one in held if not one.is_kind]
    assert sum(kinds) / len(kinds) > 2 * sum(others) / len(others)
