"""Renders templates, and knows the addresses of the static files."""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from services.shop.storefronts import STOREFRONTS, Storefront

HERE = Path(__file__).parent
STATIC = HERE / "static"
YEAR_SECONDS = 31_536_000


@cache
def static_path(name: str) -> str:
    """The address of a static file; it changes with the content, so that browsers keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


def _environment() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(static=static_path, storefronts=list(STOREFRONTS.values()))
    return templates


TEMPLATES = _environment()


def render(template: str, store: Storefront, **context: object) -> str:
    """``template`` for ``store``; ``t`` are its texts."""
    return TEMPLATES.get_template(template).render(store=store, t=store.texts, **context)


def page(
    template: str,
    store: Storefront,
    request: Request,
    status: HTTPStatus = HTTPStatus.OK,
    **context: object,
) -> HTMLResponse:
    """A whole page. ``elsewhere``: the rest of its address, the same in every storefront."""
    _, _, rest = request.url.path.removeprefix("/").partition("/")
    query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
    text = render(template, store, elsewhere=f"{rest}{query}", **context)
    headers = {"Content-Language": store.language, "Cache-Control": "no-cache"}
    return HTMLResponse(text, status, headers)


def fragment(template: str, store: Storefront, **context: object) -> HTMLResponse:
    """A part of a page."""
    return HTMLResponse(render(template, store, **context), headers={"Cache-Control": "no-store"})


class StaticPages(StaticFiles):
    """The static files; their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
        return response
