"""/v1/stream: events as they come, as Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, get_args

from fastapi import APIRouter, Depends, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from schemas.base import encode
from schemas.webhooks import EventKind
from services.api.arrivals import Arrival
from services.api.context import Api
from services.api.examples import REFUSED
from services.api.openapi import KEYED, problems

KEEP_ALIVE_SECONDS = 15
EXAMPLE = Arrival(str(REFUSED.event_id), "match", encode(REFUSED).decode())


def stream_router(api: Api) -> APIRouter:
    """The route of the stream."""
    router = APIRouter(prefix="/v1", tags=["stream"])

    @router.get(
        "/stream",
        dependencies=[Depends(api.access.requires("read"))],
        response_class=EventSourceResponse,
        responses={
            200: {"content": {"text/event-stream": {"example": _sent(EXAMPLE).encode().decode()}}},
            **problems("invalid-request", *KEYED),
        },
    )
    async def follow_events(
        kind: Annotated[tuple[EventKind, ...], Query(description="By default all.")] = (),
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> EventSourceResponse:
        """Matches (`event: match`) and changes of products (`event: change`), as on their topics,
        with the same ids. With `Last-Event-ID` first those since; when that event is not
        remembered, `event: gap`: read again what matters."""
        kinds: frozenset[EventKind] = frozenset(kind) or frozenset(get_args(EventKind))

        async def events() -> AsyncIterator[ServerSentEvent]:
            async for arrival in api.arrivals.stream(kinds, last_event_id):
                if arrival is None:
                    yield ServerSentEvent(data="{}", event="gap")
                else:
                    yield _sent(arrival)

        return EventSourceResponse(events(), ping=KEEP_ALIVE_SECONDS)

    return router


def _sent(arrival: Arrival) -> ServerSentEvent:
    return ServerSentEvent(data=arrival.data, event=arrival.kind, id=arrival.event_id)
