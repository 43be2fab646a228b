"""/v1/looks: send a look to the flow, and read its match."""

import asyncio
import base64
import hashlib
import re
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from operators.matching.serving import from_kept, serve
from schemas.api import LookPage, LookStatus, NewLook
from schemas.base import encode
from schemas.ids import NAMESPACE
from schemas.looks import Look, LookMatches
from schemas.records import Record
from services.api.context import Api
from services.api.openapi import JSON, KEYED, picture_body, problems
from services.api.pictures import BAD_BODY, FIELD, PICTURE, jpeg_response, read_look_request
from services.api.problems import ApiProblem, not_found

_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})\b")


def looks_router(api: Api) -> APIRouter:
    """The routes of looks."""
    router = APIRouter(prefix="/v1/looks", tags=["looks"])
    reads, writes = Depends(api.access.requires("read")), api.access.requires("write")

    @router.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        response_model=LookStatus,
        responses={
            200: {"model": LookMatches, "description": "The match, when `Prefer: wait` was met."},
            **problems(*BAD_BODY, "not-an-image", "another-look", *KEYED),
        },
        openapi_extra=picture_body(NewLook, FIELD),
    )
    async def send_look(
        request: Request,
        response: Response,
        client: Annotated[str, Depends(writes)],
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
        prefer: Annotated[str | None, Header(max_length=200)] = None,
    ) -> LookStatus | Response:
        """Send a look to be matched by the look flow.

        The same `Idempotency-Key` (or look_id) with the same look answers as before and sends
        nothing; with another look it is refused (409). `Prefer: wait=5` waits up to 5 seconds for
        the match.
        """
        asked = await read_look_request(request, NewLook)
        look = _look(asked, client, idempotency_key)
        if look.image.data is not None:
            await api.parts.match.pictures.fetch(look.image)  # refuse a bad picture here and now
        await _send(api, look)
        if waiting := wait_seconds(prefer):
            budget = min(waiting, api.settings.api.max_deadline_seconds)
            if (event := await _match(api, look.look_id, budget)) is not None:
                headers = {"Preference-Applied": f"wait={waiting}"}
                return Response(event.model_dump_json(), media_type=JSON, headers=headers)
        path = f"/v1/looks/{look.look_id}"
        response.headers["Location"] = path
        return LookStatus(look_id=look.look_id, status="pending", matches=f"{path}/matches")

    @router.get("", dependencies=[reads], responses=problems("invalid-cursor", *KEYED))
    async def list_looks(
        limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: str | None = None
    ) -> LookPage:
        """The looks that were matched, the newest first, with their products as of now."""
        found = await api.parts.kept.newest(limit + 1, read_cursor(cursor))
        page = found[:limit]
        events = await asyncio.gather(*(read_match(api, look_id) for _, look_id in page))
        return LookPage(
            looks=[event for event in events if event is not None],
            next=cursor_after(page[-1]) if len(found) > limit else None,
        )

    @router.get(
        "/{look_id}/matches",
        dependencies=[reads],
        responses=problems("pending", "not-found", "invalid-request", *KEYED),
    )
    async def read_matches(
        look_id: str, wait: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0
    ) -> LookMatches:
        """The match of a look, with its products as of now; waits for it up to `wait` seconds."""
        event = await _match(api, look_id, min(wait, api.settings.api.max_deadline_seconds))
        if event is None:
            if await api.parts.kept.is_accepted(look_id):
                later = {"Retry-After": "1"}
                raise ApiProblem(NOT_FOUND, "pending", "the look is not matched yet", later)
            raise not_found(f"look {look_id}")
        return event

    @router.get(
        "/{look_id}/picture", dependencies=[reads], response_class=Response, responses=PICTURE
    )
    async def read_look_picture(
        look_id: str,
        number: Annotated[int, Query(ge=0, le=8, description="0, or a reference picture.")] = 0,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """The look's picture as JPEG, its longest side at most 800 pixels; for as long as its
        match."""
        return jpeg_response(await api.pictures.read(look_id, number), if_none_match, public=False)

    @router.get("/{look_id}", dependencies=[reads], responses=problems("not-found", *KEYED))
    async def read_look(look_id: str) -> LookStatus:
        """How far a look is."""
        event = await read_match(api, look_id)
        if event is None and not await api.parts.kept.is_accepted(look_id):
            raise not_found(f"look {look_id}")
        status = "pending" if event is None else "refused" if event.refused else "matched"
        return LookStatus(
            look_id=look_id,
            status=status,
            matches=f"/v1/looks/{look_id}/matches",
        )

    return router


NOT_FOUND = HTTPStatus.NOT_FOUND


def wait_seconds(prefer: str | None) -> int:
    """The wait preference of RFC 7240, in seconds; 0 without one."""
    found = _WAIT.search(prefer or "")
    return int(found.group(1)) if found else 0


async def read_match(
    api: Api, look_id: str, market: str | None = None, *, elsewhere: bool = True
) -> LookMatches | None:
    """The kept match with its products as of now; None when there is none.

    ``market``: of a look that names none, only the products sold there. ``elsewhere``: False: None
    also for a look of another market, whose products are not even read.
    """
    value = await api.parts.kept.read(look_id)
    if value is None:
        return None
    try:
        kept = from_kept(value)
        kept["market"] = kept["market"] or market
        if not elsewhere and kept["market"] != market:
            return None
        shown = api.settings.api.products_shown
        return await serve(kept, api.parts.match.ledger, shown, datetime.now(UTC))
    except (ValueError, KeyError, TypeError):  # kept by another version of this program
        return None


async def _match(api: Api, look_id: str, seconds: float) -> LookMatches | None:
    event = await read_match(api, look_id)
    if event is None and seconds > 0:
        await api.arrivals.wait_for(look_id, seconds)
        event = await read_match(api, look_id)
    return event


async def _send(api: Api, look: Look) -> None:
    """Send ``look`` unless it was sent before."""
    value = encode(look)
    digest = hashlib.sha256(look.model_dump_json(exclude={"created_at"}).encode()).hexdigest()
    marked = f"{digest}/{uuid.uuid4()}"
    noted = await api.parts.kept.accept(look.look_id, marked)
    if noted == marked:
        try:
            await asyncio.to_thread(api.parts.looks.append, [Record(look.look_id, value)])
        except BaseException:
            await api.parts.kept.forget(look.look_id)
            raise
    elif noted.partition("/")[0] != digest:
        raise ApiProblem(
            HTTPStatus.CONFLICT,
            "another-look",
            "another look was sent with this Idempotency-Key or look_id",
        )


def _look(asked: NewLook, client: str, idempotency_key: str | None) -> Look:
    if asked.look_id is not None:
        look_id = asked.look_id
    elif idempotency_key is not None:
        look_id = str(uuid.uuid5(NAMESPACE, f"look/{client}/{idempotency_key}"))
    else:
        look_id = str(uuid.uuid4())
    fields = {name: getattr(asked, name) for name in type(asked).model_fields}
    return Look.model_construct(**{**fields, "look_id": look_id, "created_at": datetime.now(UTC)})


def cursor_after(last: tuple[int, str]) -> str:
    """The cursor of the page that begins after the look ``last``."""
    return base64.urlsafe_b64encode(f"{last[0]}/{last[1]}".encode()).decode()


def read_cursor(cursor: str | None) -> tuple[int, str] | None:
    """What :func:`cursor_after` was made from. Raises ApiProblem (422)."""
    if cursor is None:
        return None
    try:
        moment, _, look_id = base64.urlsafe_b64decode(cursor).decode().partition("/")
        return int(moment), look_id
    except ValueError:
        raise ApiProblem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-cursor", "this is no cursor of ours"
        ) from None
