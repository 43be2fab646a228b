"""/v1/matches:preview: match a picture now; nothing is stored."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from PIL.Image import Image

from operators.picture import WHOLE, Picture, Wanted
from operators.ports import PictureSource
from schemas.api import LookContext, PreviewRequest
from schemas.looks import WHOLE_PICTURE, ImageReference, Look, LookMatches, Region
from services.api.context import Api, Preview
from services.api.openapi import KEYED, picture_body, problems
from services.api.pictures import BAD_BODY, FIELD, read_look_request


def preview_router(api: Api) -> APIRouter:
    """The route of previews."""
    router = APIRouter(prefix="/v1", tags=["matches"])

    @router.post(
        "/matches:preview",
        dependencies=[Depends(api.access.requires("match"))],
        openapi_extra=picture_body(PreviewRequest, FIELD),
        responses=problems(*BAD_BODY, "overloaded", "deadline", *KEYED),
    )
    async def preview_matches(request: Request) -> LookMatches:
        """Match a picture within `deadline_seconds` (default: api.deadline_seconds).

        Equal requests in flight are matched once. What was late is missing, and in `degraded`.
        """
        return (await match_now(api, await read_look_request(request, PreviewRequest))).event

    return router


async def match_now(api: Api, asked: PreviewRequest) -> Preview:
    """Match a picture in this process. Raises ApiProblem (503) when too many are matched."""
    digest = hashlib.sha256(asked.model_dump_json(exclude={"image": {"data"}}).encode())
    digest.update(asked.image.data or b"")
    return await api.previews.call(digest.hexdigest(), lambda: _match(api, asked))


async def _match(api: Api, asked: PreviewRequest) -> Preview:
    budget = api.budget(asked.deadline_seconds)
    match = api.parts.match
    pictures = _Pictures(match.pictures, asked.region)
    async with api.admission.slot(budget):
        context = {name: getattr(asked, name) for name in LookContext.model_fields}
        look = Look.model_construct(**context, look_id=f"preview-{uuid.uuid4()}", image=asked.image)
        event = await api.matcher(look, replace(match, pictures=pictures), budget)
    shown, region = api.settings.api.products_shown, asked.region or WHOLE_PICTURE
    layers = tuple(
        layer.model_copy(
            update={
                "products": layer.products[:shown],
                "region": layer.region and _within(layer.region, region),
            }
        )
        for layer in event.layers
    )
    person = event.person and _within(event.person, region)
    return Preview(event.model_copy(update={"layers": layers, "person": person}), pictures.decoded)


class _Pictures:
    """A PictureSource of one picture or a region of it, which keeps what it has decoded."""

    def __init__(self, source: PictureSource, region: Region | None) -> None:
        self._source = source
        self._region = region
        self.decoded: Image | None = None

    async def fetch(
        self, reference: ImageReference, vendor: str | None = None, wanted: Wanted = WHOLE
    ) -> Picture:
        picture = await self._source.fetch(reference, vendor, wanted)
        self.decoded = picture.image
        return picture if self._region is None else _cut(picture, self._region)


def _cut(picture: Picture, region: Region) -> Picture:
    width, height = picture.image.size
    x0, y0 = int(region.x0 * width), int(region.y0 * height)
    box = (
        x0,
        y0,
        max(x0 + 1, round(region.x1 * width)),
        max(y0 + 1, round(region.y1 * height)),
    )
    # Answers of models are cached by this hash.
    part = f"{picture.pixel_hash}/{','.join(map(str, box))}"
    return Picture(picture.image.crop(box), part)


def _within(part: Region, region: Region) -> Region:
    """``part`` of the picture that was cut at ``region``, as a region of the whole picture."""
    width, height = region.x1 - region.x0, region.y1 - region.y0
    return Region(
        x0=region.x0 + part.x0 * width,
        y0=region.y0 + part.y0 * height,
        x1=min(1.0, region.x0 + part.x1 * width),
        y1=min(1.0, region.y0 + part.y1 * height),
    )
