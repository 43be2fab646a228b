"""The HTTP API: the same match_look as in the stream, and what the topics carry."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from dataflows.wiring.online import OnlineParts
from operators.concurrency import running
from operators.images.addresses import Reachable
from operators.images.transport import GuardedTransport
from operators.matching.match import match_look
from operators.stores.redis.webhooks import RedisWebhooks
from schemas.settings import Settings
from services.api.access import Access, RequestCounter
from services.api.admission import Admission
from services.api.arrivals import Arrivals
from services.api.body_limit import BodyLimit
from services.api.context import Api, Matcher
from services.api.deliveries import KEPT_SECONDS, LOGGED, Deliveries
from services.api.health import health_router
from services.api.interactions import interactions_router
from services.api.links import Links
from services.api.look_pictures import LookPictures
from services.api.looks import looks_router
from services.api.openapi import KEYED, describe, problems
from services.api.preview import preview_router
from services.api.problems import install
from services.api.products import products_router
from services.api.rate_limits import memory_counter
from services.api.stream import stream_router
from services.api.webhooks import webhooks_router

WEBHOOK_CONNECTIONS = 32
"""Kept open for the next delivery."""


AddPages = Callable[[FastAPI, Api], None]


def create_app(
    parts: OnlineParts,
    settings: Settings,
    counter: RequestCounter,
    add_pages: AddPages | None = None,
    *,
    matcher: Matcher = match_look,
) -> FastAPI:
    """The application. While it runs it follows the topics of ``parts``; the caller closes them.

    ``add_pages`` adds what people see to the finished API; ``matcher`` matches previews.
    """
    own = settings.api
    hooks = RedisWebhooks(parts.redis, KEPT_SECONDS, LOGGED)
    reachable = Reachable.of(own.webhook_hosts, own.webhook_ports, "api.webhook_hosts")
    transport = GuardedTransport(reachable, idle_connections=WEBHOOK_CONNECTIONS)
    deliveries = Deliveries(hooks, transport)
    pictures = LookPictures(parts)
    api = Api(
        settings=settings,
        parts=parts,
        access=Access(own.keys, counter),
        admission=Admission(own.in_flight, own.waiting),
        arrivals=Arrivals(parts, deliveries.queue, pictures, timedelta(hours=own.kept_hours)),
        links=Links(own.signing_key),
        pictures=pictures,
        matcher=matcher,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(api.arrivals.run()), running(deliveries.run()):
            yield
        await transport.aclose()

    app = FastAPI(
        title="LookSync",
        version=version("looksync"),
        summary="Makes AI-generated fashion looks shoppable.",
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
        responses=problems(*KEYED),
        generate_unique_id_function=lambda route: route.name,  # the names in generated clients
    )
    install(app)
    app.add_middleware(BodyLimit, largest=own.max_body_bytes)
    for router in (
        looks_router(api),
        preview_router(api),
        products_router(api),
        interactions_router(api),
        stream_router(api),
        webhooks_router(api.access, hooks),
        health_router(api),
    ):
        app.include_router(router)
    describe(app)
    if add_pages is not None:
        add_pages(app, api)
    return app


def openapi_document() -> str:
    """The OpenAPI document, as text. No parts are opened: nothing is answered."""
    nothing: list[Any] = [None] * len(fields(OnlineParts))
    parts = OnlineParts(*nothing)
    app = create_app(parts, Settings(), memory_counter())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
