"""Looks of the painted outfit: how tests ask for them, and read what they were matched with."""

from __future__ import annotations

from typing import Any

from operators.budget import Budget
from operators.matching.calibration import Calibration, Logistic
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from operators.ports import LayerDescription
from schemas.attributes import Department
from schemas.looks import ImageReference, LayerMatch, Look, LookMatches
from schemas.settings import MatchingSettings

URL = "https://looks.example/1.jpg"
KNOWN = (Department.TOP, Department.BOTTOM, Department.DRESS, Department.FOOTWEAR)
CALIBRATION = Calibration(patch_scale=20, same_item=Logistic(bias=-18, weights={"region": 20}))
TOP_ONLY = {Department.TOP: LayerDescription("a blue striped t-shirt", {"category": "t-shirt"})}


def look(look_id: str = "look-1", url: str = URL, **fields: Any) -> Look:
    return Look.model_validate(
        {"look_id": look_id, "image": ImageReference(url=url, data=None), **fields}
    )


async def match(asked: Look, parts: MatchParts, seconds: float = 30) -> LookMatches:
    return await match_look(asked, parts, Budget.of(seconds))


def layer(event: LookMatches, department: Department) -> LayerMatch:
    return next(match for match in event.layers if match.layer == department)


def keys(match: LayerMatch) -> list[str]:
    return [found.product.key for found in match.products]


def lenient(parts: MatchParts) -> MatchingSettings:
    """Settings under which no layer abstains for lack of confidence."""
    return parts.settings.model_copy(update={"abstain_below": 0.0})
