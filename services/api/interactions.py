"""/v1/events: what users do; /r: links to shops, which are counted."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, BackgroundTasks, Depends
from fastapi.responses import RedirectResponse

from schemas.api import Accepted, InteractionBatch
from schemas.base import encode
from schemas.errors import LookSyncError
from schemas.interactions import Interaction
from schemas.records import Record
from services.api.context import Api
from services.api.openapi import KEYED, problems
from services.api.problems import ApiProblem, not_found

log = structlog.get_logger()


def interactions_router(api: Api) -> APIRouter:
    """The routes of interactions."""
    router = APIRouter(tags=["interactions"])

    @router.post(
        "/v1/events",
        status_code=HTTPStatus.ACCEPTED,
        dependencies=[Depends(api.access.requires("write"))],
        responses=problems("invalid-request", "too-large", *KEYED),
    )
    async def send_events(batch: InteractionBatch) -> Accepted:
        """Publish what users did on the topic of interactions."""
        try:
            records = [_record(event) for event in batch.events]
        except ValueError:  # in a field that we do not know: half a character, no end
            raise ApiProblem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid-request",
                "events: a field holds half a character, or is nested too deeply",
            ) from None
        await asyncio.to_thread(api.parts.interactions.append, records)
        return Accepted(accepted=len(batch.events))

    @router.get(
        "/r/{token}",
        status_code=HTTPStatus.FOUND,
        response_class=RedirectResponse,
        responses=problems("not-found", "gone", "redis"),
    )
    async def follow_link(token: str, after: BackgroundTasks) -> RedirectResponse:
        """Go to a product's page in its shop. The address is the ledger's, so a token leads nowhere
        else."""
        known = api.links.read(token)
        if known is None:
            raise not_found("such link")
        key, look_id = known
        entry = await api.parts.match.ledger.read(key)
        if entry is None or not entry.exists or not entry.update.url:
            raise ApiProblem(HTTPStatus.GONE, "gone", f"the product {key} is no longer sold")
        if urlsplit(entry.update.url).scheme not in ("http", "https"):
            raise ApiProblem(HTTPStatus.GONE, "gone", f"the product {key} has no page")
        click = Interaction(
            event_id=uuid.uuid4(),
            kind="click",
            product_key=key,
            look_id=look_id,
            market=entry.update.market,
            at=datetime.now(UTC),
        )
        after.add_task(_count, api, click)
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(entry.update.url, HTTPStatus.FOUND, headers)

    return router


def _record(event: Interaction) -> Record:
    return Record(event.user_id or str(event.event_id), encode(event))


async def _count(api: Api, click: Interaction) -> None:
    try:
        await asyncio.to_thread(api.parts.interactions.append, [_record(click)])
    except LookSyncError as error:
        log.warning("a click is not counted", product=click.product_key, error=str(error))
