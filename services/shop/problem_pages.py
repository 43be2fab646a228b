"""Problems of people's requests, shown as pages instead of problem details."""

from __future__ import annotations

import json
import math
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.problems import MEDIA_TYPE
from services.shop.rendering import fragment, page
from services.shop.routing import API
from services.shop.storefronts import STOREFRONTS, preferred

_DESIGNED = frozenset((401, 404, 410, 413, 422, 429, 503))
_ALIKE = {403: 401, 405: 404, 415: 422, 504: 503}
MEGABYTE = 10**6


class ProblemPages:
    """Middleware: turns problem details into a page, or into a part of one for htmx."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._megabytes = max_body_bytes // MEGABYTE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        by_htmx = headers.get("hx-request") == "true"
        wants_page = by_htmx or "text/html" in headers.get("accept", "")
        if scope["type"] != "http" or not wants_page or scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def looking(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                if MutableHeaders(scope=message).get("content-type") == MEDIA_TYPE:
                    start = message
                    return
            elif start is not None:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await self._answer(start, body, Request(scope), send)
                return
            await send(message)

        await self._app(scope, receive, looking)

    async def _answer(self, start: Message, body: bytes, request: Request, send: Send) -> None:
        status, sent = int(start["status"]), MutableHeaders(scope=start)
        wanted = request.url.path.split("/")[1]
        store = STOREFRONTS.get(wanted) or preferred(request.headers.get("accept-language", ""))
        kind = _ALIKE.get(status, status)
        seconds = sent.get("retry-after", "60")
        code = json.loads(body).get("code", "")
        context: dict[str, object] = {
            "kind": str(kind if kind in _DESIGNED else 500),
            "picture": kind == 422 and not code.startswith("invalid-"),
            "places": {
                "size": store.number(self._megabytes),
                "seconds": store.number(math.ceil(float(seconds)) if seconds.isdigit() else 60),
            },
        }
        if request.headers.get("hx-request") == "true":
            in_sheet = request.headers.get("hx-target") == "sheet"
            response = fragment("_problem.html", store, in_sheet=in_sheet, **context)
            response.status_code = status
        else:
            response = page("problem.html", store, request, HTTPStatus(status), **context)
        for name in ("retry-after", "www-authenticate"):
            if name in sent:
                response.headers[name] = sent[name]

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        await response({"type": "http"}, receive, send)
