"""/operator: the page of those who run the service. With keys it needs the scope admin."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Header
from fastapi.responses import HTMLResponse, RedirectResponse

from dataflows.wiring.letters import Letters
from operators.streaming.letter_selection import Selection
from services.api.context import Api
from services.api.problems import ApiProblem
from services.shop.operations import (
    COVERED,
    read_coverage,
    read_evaluation,
    read_flows,
    read_letters,
    read_or_say,
    read_runs,
)
from services.shop.rendering import render
from services.shop.storefronts import DEFAULT


def operator_router(api: Api) -> APIRouter:
    """The routes of the operator page."""
    admin = Depends(api.access.requires("admin"))
    router = APIRouter(prefix="/operator", dependencies=[admin])
    topics = api.settings.topics

    @router.get("")
    async def overview(replayed: int | None = None) -> HTMLResponse:
        """All but coverage, which takes longer."""
        flows, letters, runs = await asyncio.gather(
            read_or_say(read_flows(api)),
            read_or_say(read_letters(api)),
            read_or_say(read_runs(api)),
        )
        evaluation = await asyncio.to_thread(read_evaluation, api.settings.api.evaluation)
        return _page(
            "operator.html",
            flows=flows,
            letters=letters,
            runs=runs,
            evaluation=evaluation,
            replayed=replayed,
        )

    @router.get("/coverage")
    async def coverage() -> HTMLResponse:
        """Where the values of products come from."""
        found = await read_or_say(read_coverage(api))
        return _page("coverage.html", found=found, most=COVERED)

    @router.post("/replay")
    async def replay(
        topic: Annotated[str, Form()],
        reason: Annotated[str, Form()],
        sec_fetch_site: Annotated[str | None, Header()] = None,
    ) -> RedirectResponse:
        """Put the waiting dead letters with a reason back on their topic."""
        # Browsers send credentials with forms of other sites, too, and name the site since 2023.
        if sec_fetch_site not in (None, "same-origin"):
            raise ApiProblem(HTTPStatus.FORBIDDEN, "forbidden", "send this form from its own page")
        if topic not in (topics.updates, topics.looks):
            raise ApiProblem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "no such topic")
        chosen = Selection(reasons=frozenset({reason}))
        count = await asyncio.to_thread(Letters.of(topics, topic).replay, chosen)
        return RedirectResponse(f"/operator?replayed={count}", HTTPStatus.SEE_OTHER)

    return router


def _page(template: str, **context: object) -> HTMLResponse:
    text = render(template, DEFAULT, elsewhere="", **context)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})
