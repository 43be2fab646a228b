"""Adds the shop's pages to the API's application."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from services.api.context import Api
from services.api.problems import install
from services.shop.live import live_router
from services.shop.operator import operator_router
from services.shop.pages import pages_router
from services.shop.problem_pages import ProblemPages
from services.shop.rendering import STATIC, StaticPages
from services.shop.routing import Pages
from services.shop.security import SecurityHeaders
from services.shop.try_it import try_router

SMALLEST_COMPRESSED = 1024
"""Bytes; smaller answers fit in one packet anyway."""


def add_pages(app: FastAPI, api: Api) -> None:
    """Serve the shop wherever the API has no route, and show its problems to people as pages."""
    shop = FastAPI(openapi_url=None)
    install(shop)
    for router in (live_router(api), try_router(api), operator_router(api), pages_router(api)):
        shop.include_router(router)
    shop.mount("/static", StaticPages(directory=STATIC))
    shop.add_middleware(GZipMiddleware, minimum_size=SMALLEST_COMPRESSED)
    app.router.routes.append(Pages("/", app=shop))
    app.add_middleware(ProblemPages, max_body_bytes=api.settings.api.max_body_bytes)
    app.add_middleware(SecurityHeaders)
