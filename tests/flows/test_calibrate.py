"""An encoder without probabilities gets them from the catalog, or from judged looks."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from rich.console import Console

from dataflows.jobs.calibrate import calibrate
from dataflows.run import run_flow
from dataflows.wiring.parts import open_look_parts
from evaluation.sandbox.judgements import judge, to_judge, write_judgements
from evaluation.statistics import calibration_error
from operators.budget import Budget
from operators.matching.calibration import FILE_NAME
from operators.matching.match import match_look
from operators.models.sandbox_weights import sandbox_weights
from operators.stores.redis.embedded_server import stop_left_over
from sandbox.life import World, draw_world, open_world
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.judgements import Judgement
from schemas.looks import Look, LookMatches
from schemas.settings import Settings
from services.cli.calibrate import run_calibrate
from services.cli.doctor import examine
from services.cli.match import match_picture
from tests.flows.drawn_shop import send_packets, settings_in
from tests.services.command_line import looksync

pytestmark = pytest.mark.slow

LOOKS = 36


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A small world in the index of an encoder that has no calibration."""
    folder = tmp_path_factory.mktemp("shop")
    world = draw_world(folder / "world", seed=6, products=200, looks=LOOKS)
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


async def match_shown_in_full(settings: Settings, world: World) -> list[tuple[Look, LookMatches]]:
    """Each look without its preferences, and all products that are ranked for it."""
    shown = {"abstain_below": 0.0, "list_from": 0.0, "cache_seconds": 0}
    matching = settings.matching.model_copy(update=shown)
    records = {record.key: record.value for record in world.look_event_records()}
    looks = [to_judge(Look.model_validate_json(value)) for value in records.values()]
    async with open_look_parts(settings.model_copy(update={"matching": matching})) as parts:
        return [(look, await match_look(look, parts.match, Budget.of(60))) for look in looks]


def calibrate_by_command(settings: Settings, file: Path) -> CompletedProcess[str]:
    return looksync(
        "calibrate",
        "--judged",
        file,
        cwd=settings.index.path.parent,
        PYTHONPATH=os.fspath(Path(__file__).parents[2]),
        LOOKSYNC_TOPICS__FOLDER=str(settings.topics.folder),
        LOOKSYNC_INDEX__PATH=str(settings.index.path),
        LOOKSYNC_REDIS__FOLDER=str(settings.redis.folder),
        LOOKSYNC_THUMBNAILS__URL=settings.thumbnails.url,
        LOOKSYNC_ENCODER__MODEL=settings.encoder.model,
        LOOKSYNC_VLM__KIND="none",
    )


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
    assert after.models["calibration"] == "catalog"
    shown = [one for layer in after.layers for one in layer.products]
    assert shown
    assert all(one.same_item is not None and one.same_kind is not None for one in shown)
    assert "calibrated (the catalog, " in doctor(settings)


def test_the_probabilities_hold_for_products_that_were_not_fitted_to(settings: Settings) -> None:
    held = asyncio.run(calibrate(settings, 180)).held_out
    error = calibration_error([one.item for one in held], [one.is_item for one in held])
    assert error is not None
    assert error < 0.05
    kinds = [one.kind for one in held if one.is_kind]
    others = [one.kind for one in held if not one.is_kind]
    assert sum(kinds) / len(kinds) > 2 * sum(others) / len(others)


@pytest.fixture(scope="module")
def judgements(settings: Settings) -> list[Judgement]:
    """What the truth says of the products found for the world's looks."""
    world = open_world(settings.index.path.parent / "world")
    events = asyncio.run(match_shown_in_full(settings, world))
    return judge(events, world.truth(), Path("world/looks"))


def test_too_few_judgements_are_refused_and_nothing_is_stored(
    settings: Settings, judgements: list[Judgement]
) -> None:
    before = doctor(settings)
    file = settings.index.path.parent / "few.jsonl"
    write_judgements(judgements[:20], file)
    file.write_text(file.read_text() + "no judgement\n")
    done = calibrate_by_command(settings, file)
    assert done.returncode == 2
    assert "too few judgements can be used: 20 pairs" in done.stderr
    assert "30 pictures are needed, and 45 of each. Nothing was stored." in done.stderr
    assert "not-json: 1 (line 21)" in done.stderr
    assert doctor(settings) == before


def test_a_file_in_which_nothing_can_be_used_is_an_error(settings: Settings) -> None:
    file = settings.index.path.parent / "useless.jsonl"
    for content in ("", "no judgement\n"):
        file.write_text(content)
        done = calibrate_by_command(settings, file)
        assert done.returncode == 2
        assert "0 pairs" in done.stderr
    missing = calibrate_by_command(settings, file.with_name("missing.jsonl"))
    assert missing.returncode == 2
    assert "missing.jsonl" in missing.stderr


def test_judged_looks_mend_the_probabilities(
    settings: Settings, judgements: list[Judgement]
) -> None:
    folder = settings.index.path.parent
    (folder / "text.jpg").write_text("no picture")
    first, second, *_ = judgements
    of_another_layer = next(one.product for one in judgements if one.layer != first.layer)
    bad = {
        "not-json": "no judgement",
        "invalid": '{"picture": "world/looks/look-00000.jpg"}',
        "unknown-product": first.model_copy(update={"product": "elm:0"}).model_dump_json(),
        "unreadable-picture": first.model_copy(update={"picture": "text.jpg"}).model_dump_json(),
        "layer-not-found": first.model_copy(
            update={"layer": Department.SWIMWEAR}
        ).model_dump_json(),
        "not-ranked": first.model_copy(update={"product": of_another_layer}).model_dump_json(),
        "repeated": second.model_dump_json(),
    }
    file = folder / "judged.jsonl"
    write_judgements(judgements, file)
    file.write_text(file.read_text() + "\n".join(bad.values()) + "\n")

    done = calibrate_by_command(settings, file)

    assert done.returncode == 0, done.stderr
    assert f"{len(judgements):,} pairs of {LOOKS} pictures" in done.stdout
    assert "for layers described by the tagger" in done.stdout
    assert f"Lines that were not used: {len(bad)}" in done.stdout
    for line, reason in enumerate(bad, start=len(judgements) + 1):
        assert f"{reason}: 1 (line {line})" in done.stdout
    held_out, before = re.findall(r"same item ([\d.]+) .*same kind ([\d.]+) ", done.stdout)
    assert "Before (the catalog, " in done.stdout
    assert float(held_out[0]) < float(before[0])
    assert float(held_out[1]) < float(before[1])
    assert match(settings).models["calibration"] == "judged"
    assert f"calibrated (judged looks, {len(judgements):,} pairs" in doctor(settings)
