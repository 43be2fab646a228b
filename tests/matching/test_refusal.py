"""A look that is refused ends with the same event, whoever refuses it: the matcher or the flow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from dataflows.looks import run_looks
from dataflows.wiring import parts as wiring
from dataflows.wiring.parts import LookParts
from operators.matching.look_event import look_event
from operators.matching.parts import MatchParts
from operators.stores.redis.calibrations import RedisCalibrations
from schemas.errors import DeadlineExceeded, ImageRefused, PictureUnavailable
from schemas.looks import LookMatches
from schemas.records import Record
from tests.doubles import InMemoryClaims, StoredPictures
from tests.flows.flow_process import flow_settings, topic
from tests.matching.example_looks import TOP_ONLY, URL, look, match
from tests.matching.scripted_model import ScriptedModel

LOOK = look(user_id="ann", market="IN")
OWN = {"refused", "refused_because", "timings_ms", "matched_at"}
"""Fields that depend on the refusal, or on the time."""


async def test_the_flow_and_the_matcher_refuse_alike(parts: MatchParts) -> None:
    error = ImageRefused("a bomb", reason="too-large")
    refusing = replace(parts, pictures=StoredPictures({URL: error}))
    by_matcher = await match(LOOK, refusing)
    by_flow = look_event(LOOK, refusing, refused=error)
    assert (by_flow.refused, by_flow.refused_because) == ("too-large", "a bomb")
    differ = {"timings_ms", "matched_at"}
    assert by_flow.model_dump(exclude=differ) == by_matcher.model_dump(exclude=differ)


async def test_a_missed_deadline_is_a_degradation_at_both_doors(parts: MatchParts) -> None:
    late = DeadlineExceeded("not done after 6 s", reason="deadline")
    by_matcher = await match(LOOK, parts, seconds=0.0)
    by_flow = look_event(LOOK, parts, refused=late)
    assert by_flow.model_dump(exclude=OWN) == by_matcher.model_dump(exclude=OWN)
    assert (by_flow.refused, by_flow.degraded) == ("deadline", ("look:deadline",))
    assert by_matcher.refused == "deadline"


@pytest.fixture
def wired(parts: MatchParts, monkeypatch: pytest.MonkeyPatch) -> MatchParts:
    """What the look flow is given: a model, and a host whose picture cannot be fetched."""
    away = PictureUnavailable("the host does not answer", reason="connection")
    given = replace(parts, vlm=ScriptedModel(TOP_ONLY), pictures=StoredPictures({URL: away}))

    @asynccontextmanager
    async def open_look_parts(*_: Any, **__: Any) -> AsyncIterator[LookParts]:
        calibrations = RedisCalibrations(cast(Any, None))  # not used
        yield LookParts(match=given, claims=InMemoryClaims(), calibrations=calibrations)

    monkeypatch.setattr(wiring, "open_look_parts", open_look_parts)
    return given


def test_the_flows_refusal_names_models_and_index_generation(
    wired: MatchParts, tmp_path: Path
) -> None:
    settings = flow_settings(tmp_path)
    once = settings.stream.looks.model_copy(update={"attempts": 1})
    settings = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"looks": once})}
    )
    generated = topic(tmp_path, settings.topics.looks)
    generated.append([Record(LOOK.look_id, LOOK.model_dump_json().encode())])
    matched = topic(tmp_path, settings.topics.matches)

    assert run_looks(settings, once=True) == 0

    (record,) = [r for number in range(matched.partitions) for r in matched.read(number)]
    event = LookMatches.model_validate_json(record.value)
    assert (event.refused, event.user_id, event.market) == ("connection", "ann", "IN")
    assert event.models == {
        "encoder": "paint",
        "calibration": "shipped",
        "vlm": "scripted",
    }
    assert event.index_generation == wired.index.generation
