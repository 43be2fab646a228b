"""Where the layers are: as the best part says that can.

A box of the vision-language model comes with its description. What has none is found by the human
parser, or else by the encoder's patches, if these can be compared with words; what is still missing
by the query segmenter. Figures: docs/decisions/163, 174.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from PIL.Image import Image

from operators.matching.crops import is_visible
from operators.matching.look_run import LookRun
from operators.ports import LayerDescription, Located, Picture
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable

Descriptions = Mapping[Department, LayerDescription]


async def describe_and_locate(
    run: LookRun, pictures: Sequence[Picture]
) -> tuple[Descriptions | None, dict[Department, Located]]:
    """The vision-language model's descriptions, and where the layers are in the first picture.

    None instead of descriptions: there is no model, or it failed. A described layer that nobody
    finds has no place. Raises Unavailable, or DeadlineExceeded, when a model failed without which
    no layer can be found.
    """
    image, segmenter, vlm = pictures[0].image, run.parts.segmenter, run.parts.vlm
    if segmenter is None or run.parts.tagger is None:
        described = await _describe_or_fail(run, pictures)
    elif vlm is None or not vlm.finds_layers:
        # At once: the other models work while this one answers.
        described_or_not, located = await asyncio.gather(
            _describe(run, pictures), segmenter.locate(image, tuple(Department))
        )
        return described_or_not, located
    else:
        described_or_not = await _describe(run, pictures)
        if described_or_not is None:
            return None, await segmenter.locate(image, tuple(Department))
        described = described_or_not
    located = _boxes(described, image)
    if segmenter is not None and (missing := _missing(described, located)):
        located |= await segmenter.locate(image, missing)
    return described, located | await _segment(run, image, described, located)


async def _describe(run: LookRun, pictures: Sequence[Picture]) -> Descriptions | None:
    if run.parts.vlm is None:
        return None
    try:
        return await _describe_or_fail(run, pictures)
    except (Unavailable, DeadlineExceeded) as error:
        run.journal.degrade("describe", error)
        return None


async def _describe_or_fail(run: LookRun, pictures: Sequence[Picture]) -> Descriptions:
    assert run.parts.vlm is not None, "needed where nobody else describes or finds layers"
    budget = run.budget.share(run.parts.settings.describe_share)
    async with budget.enforced("describe"):
        return await run.parts.vlm.describe(pictures, budget)


def _boxes(described: Descriptions, image: Image) -> dict[Department, Located]:
    return {
        department: Located(one.region, 1.0)
        for department, one in described.items()
        if one.region is not None and is_visible(one.region, image)
    }


def _missing(described: Descriptions, located: Collection[Department]) -> list[Department]:
    return [department for department in described if department not in located]


async def _segment(
    run: LookRun, image: Image, described: Descriptions, located: Collection[Department]
) -> dict[Department, Located]:
    """The places of described layers that are not ``located``, by their queries."""
    segmenter, missing = run.parts.query_segmenter, _missing(described, located)
    if segmenter is None or not missing:
        return {}
    try:
        found = await segmenter.segment(image, {one: described[one].query for one in missing})
    except Unavailable as error:
        run.journal.degrade("segment", error)
        return {}
    return {
        department: Located(segment.region, segment.confidence)
        for department, segment in found.items()
        if is_visible(segment.region, image)
    }
