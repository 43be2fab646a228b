"""Pictures in requests (JSON, or multipart with the picture as a file) and in responses."""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from schemas.api import NewLook, PreviewRequest
from schemas.looks import ImageReference
from services.api.openapi import KEYED, problems
from services.api.problems import ApiProblem, not_found

Asked = TypeVar("Asked", NewLook, PreviewRequest)

FIELD = "look"
"""Part of a multipart body that holds everything but the picture, as JSON."""


BAD_BODY = ("invalid-request", "too-large", "unsupported-media-type")
"""Codes of routes that are sent a picture."""

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "As `If-None-Match` says, nothing has changed."}
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}},
    **NOT_MODIFIED,
    **problems("not-found", *KEYED),
}
"""Responses with a picture, for the OpenAPI document."""


async def read_look_request(request: Request, kind: type[Asked]) -> Asked:
    """The body as ``kind``. Raises RequestValidationError, or ApiProblem for another media type."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if media_type == "application/json":
            return kind.model_validate_json(await request.body())
        if media_type == "multipart/form-data":
            return await _read_multipart(request, kind)
    except ValidationError as error:
        raise RequestValidationError(_problems(error)) from None
    raise ApiProblem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "send application/json or multipart/form-data",
    )


def _problems(error: ValidationError) -> list[dict[str, Any]]:
    """As FastAPI lists them."""
    return [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]


async def _read_multipart(request: Request, kind: type[Asked]) -> Asked:
    async with request.form(max_files=1, max_fields=2) as form:
        image, rest = form.get("image"), form.get(FIELD, "{}")
        if not isinstance(image, UploadFile) or not isinstance(rest, str):
            raise ApiProblem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid-request",
                f"send the picture as the file `image`, and the rest as JSON in `{FIELD}`",
            )
        data = await image.read()
    try:
        fields = json.loads(rest)
    except (ValueError, RecursionError) as error:
        raise ApiProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", f"{FIELD}: {error}"
        ) from None
    if not isinstance(fields, dict):
        raise ApiProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", f"{FIELD}: not an object"
        )
    picture = ImageReference.model_construct(url=None, data=data)
    return kind.model_validate({**fields, "image": picture})


def entity_tag(content: bytes) -> str:
    """A strong ETag."""
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def has_tag(if_none_match: str | None, tag: str) -> bool:
    """Whether the header names ``tag``; compared weakly, as RFC 9110 wants for reading."""
    listed = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return tag in listed or "*" in listed


def jpeg_response(jpeg: bytes | None, if_none_match: str | None, *, public: bool) -> Response:
    """The picture, or 304 when the client has it. Raises ApiProblem (404) when there is none.

    ``public``: caches on the way may keep it, as it is shown to anybody.
    """
    if jpeg is None:
        raise not_found("such picture")
    tag = entity_tag(jpeg)
    headers = {"ETag": tag, "Cache-Control": f"{'public' if public else 'private'}, max-age=3600"}
    if has_tag(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(jpeg, media_type="image/jpeg", headers=headers)
