"""The key of a cached result depends on everything that the result depends on."""

from __future__ import annotations

from dataclasses import replace

from operators.matching.calibration import Calibration
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.result_cache import cache_key
from operators.ports import Picture
from schemas.attributes import Department, Gender
from schemas.looks import ImageReference, Look, Preferences
from tests.doubles import InMemoryIndex
from tests.matching.example_looks import TOP_ONLY
from tests.matching.painted import PaintEncoder, outfit
from tests.matching.scripted_model import ScriptedModel

LOOK = Look(look_id="look-1", image=ImageReference(url="https://looks.example/1.jpg"))
WORN = Picture(outfit(), "worn")
REFERENCE = Picture(outfit(), "reference")
RED = Preferences(colours=("red",))


class OtherEncoder(PaintEncoder):
    fingerprint = "another-model"


class OtherModel(ScriptedModel):
    fingerprint = "another-model"


class OtherSegmenter(PatchSegmenter):
    fingerprint = "another-method"


def test_equal_looks_share_a_key(parts: MatchParts) -> None:
    again = LOOK.model_copy(update={"look_id": "look-2", "user_id": "someone-else"})
    assert cache_key(LOOK, [WORN], parts) == cache_key(again, [WORN], parts)


def test_the_key_changes_with_every_dependency(parts: MatchParts) -> None:
    segmenter = OtherSegmenter(parts.encoder, (Department.TOP,), parts.calibration)
    keys = [
        cache_key(LOOK, [WORN], parts),
        cache_key(LOOK, [REFERENCE], parts),
        cache_key(LOOK, [WORN, REFERENCE], parts),
        cache_key(LOOK, [WORN, WORN], parts),
        cache_key(LOOK.model_copy(update={"market": "JP"}), [WORN], parts),
        cache_key(LOOK.model_copy(update={"gender": Gender.FEMALE}), [WORN], parts),
        cache_key(LOOK.model_copy(update={"preferences": RED}), [WORN], parts),
        cache_key(LOOK.model_copy(update={"inferred": RED}), [WORN], parts),
        cache_key(LOOK, [WORN], replace(parts, vlm=ScriptedModel(TOP_ONLY))),
        cache_key(LOOK, [WORN], replace(parts, vlm=OtherModel(TOP_ONLY))),
        cache_key(LOOK, [WORN], replace(parts, calibration=Calibration(patch_scale=7))),
        cache_key(LOOK, [WORN], replace(parts, encoder=OtherEncoder())),
        cache_key(LOOK, [WORN], replace(parts, index=InMemoryIndex("another-generation"))),
        cache_key(LOOK, [WORN], replace(parts, segmenter=segmenter)),
        cache_key(
            LOOK,
            [WORN],
            replace(parts, settings=parts.settings.model_copy(update={"abstain_below": 0.9})),
        ),
    ]
    assert len(set(keys)) == len(keys)
