"""The shop over the painted outfit, in process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI

from dataflows.wiring.topics import open_topic
from operators.streaming.dead_letters import dead_letter
from operators.streaming.engine.outcomes import Failed
from operators.vocabulary.views import product_of
from schemas.base import encode
from schemas.catalog import Decision, ProductChange, ProductUpdate
from schemas.errors import Rejected
from schemas.ids import change_event_id
from schemas.records import Position, Record
from services.api.context import Api
from services.shop.app import add_pages
from tests.api.conftest import (
    Serve,
    Served,
    empty_shop,
    painted_taxonomy,
    parts,
    serve,
    shared_valkey,
    taxonomy,
    valkey,
)
from tests.api.requests import image

__all__ = [
    "empty_shop",
    "painted_taxonomy",
    "parts",
    "serve",
    "shared_valkey",
    "taxonomy",
    "valkey",
]


@dataclass(frozen=True, slots=True)
class Visited(Served):
    """A shop that runs, and the parts of its API."""

    api: Api


UPDATES = "catalog.updates"

Visit = Callable[..., AbstractAsyncContextManager[Visited]]


@pytest.fixture
def visit(serve: Serve) -> Visit:
    """Open the shop, as a browser would ask for its pages."""

    @asynccontextmanager
    async def start(**own: object) -> AsyncIterator[Visited]:
        apis: list[Api] = []

        def pages(app: FastAPI, api: Api) -> None:
            apis.append(api)
            add_pages(app, api)

        async with serve(pages, **own) as served:
            served.client.headers["accept"] = "text/html"
            while (await served.client.get("/readyz")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            yield Visited(served.app, served.client, served.parts, apis[0])

    return start


async def send_look(served: Served, look_id: str = "look-1", **fields: object) -> None:
    """Send the painted outfit to the flow, which matches it, and wait until it is kept."""
    await served.client.post(
        "/v1/looks", json={"look_id": look_id, "image": image(), "market": "IN", **fields}
    )
    await served.flow()
    answer = await served.client.get(f"/v1/looks/{look_id}/matches?wait=20")
    assert answer.status_code == 200


async def change(served: Visited, key: str, **fields: object) -> None:
    """Change a product in the ledger and on its topic, as the catalog flow does."""
    ledger = served.parts.match.ledger
    entry = await ledger.read(key)
    assert entry is not None
    update = ProductUpdate.model_validate({**entry.update.model_dump(), **fields})
    entry = entry.model_copy(update={"update": update})
    await ledger.write(entry)
    moment = datetime.now(UTC)
    event = ProductChange(
        event_id=change_event_id(key, str(moment)),
        key=key,
        decision=Decision.UPDATED,
        version=2,
        changed_at=moment,
        product=product_of(entry, moment),
    )
    served.parts.changes.append([Record(key, encode(event))])


def bury(visited: Visited, *reasons: str) -> None:
    """Make a dead letter for each reason."""
    topics = visited.api.settings.topics
    letters = open_topic(topics, topics.dead_letters(UPDATES))
    for offset, reason in enumerate(reasons):
        record = Record(f"zari:{offset}", b"{}", {}, Position(UPDATES, 0, offset))
        why = Rejected("it is broken", reason=reason)
        letters.append([dead_letter(Failed(record, why, 1))])
