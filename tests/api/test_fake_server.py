"""The fake server: every recorded scenario over the real routes, as the document says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from jsonschema import Draft202012Validator

from schemas.settings import ApiSettings
from services.api.app import openapi_document
from services.fake.server import open_fake
from tests.api.requests import image

DOCUMENT = json.loads(openapi_document())
KEY = "a signing key of 32 characters..."


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    """What an app's test has: a client of the fake server."""
    async with (
        open_fake(tmp_path, ApiSettings.model_validate({"signing_key": KEY})) as served,
        served.router.lifespan_context(served),
        AsyncClient(transport=ASGITransport(served), base_url="http://fake") as client,
    ):
        yield client


def fits(answer: Any, model: str) -> Any:
    reference = {"$ref": f"#/components/schemas/{model}", "components": DOCUMENT["components"]}
    Draft202012Validator(reference).validate(answer)
    return answer


def outcomes(event: dict[str, Any]) -> set[str]:
    return {layer["outcome"] for layer in event["layers"]}


async def send(app: AsyncClient, look_id: str) -> dict[str, Any]:
    look = {"look_id": look_id, "image": image(), "user_id": "u-1"}
    answer = await app.post("/v1/looks", json=look, headers={"Prefer": "wait=20"})
    assert answer.status_code == 200
    event: dict[str, Any] = fits(answer.json(), "LookMatches")
    assert (event["look_id"], event["user_id"]) == (look_id, "u-1")
    return event


async def test_a_looks_id_chooses_what_it_gets(app: AsyncClient) -> None:
    assert outcomes(await send(app, "my-look")) == {"exact"}
    assert "similar" in outcomes(await send(app, "similar-1"))
    assert "none" in outcomes(await send(app, "abstained-1"))
    assert (await send(app, "refused-1"))["refused"] == "no-garment-found"
    assert (await send(app, "degraded-1"))["degraded"] == ["rerank:deadline"]


async def test_a_pending_look_stays_so(app: AsyncClient) -> None:
    look = {"look_id": "pending-1", "image": image()}
    answer = await app.post("/v1/looks", json=look, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert fits(answer.json(), "LookStatus")["status"] == "pending"
    matches = await app.get("/v1/looks/pending-1/matches")
    assert fits(matches.json(), "Problem")["code"] == "pending"


async def test_every_scenario_is_there_from_the_start(app: AsyncClient) -> None:
    for scenario in ("matched", "similar", "abstained", "refused", "degraded"):
        answer = await app.get(f"/v1/looks/{scenario}/matches?wait=20")
        fits(answer.json(), "LookMatches")
    assert (await app.get("/v1/looks/pending")).json()["status"] == "pending"
    assert (await app.get("/v1/looks/matched/picture")).status_code == 200
    assert len(fits((await app.get("/v1/looks")).json(), "LookPage")["looks"]) == 5


async def test_a_preview_is_chosen_by_its_user(app: AsyncClient) -> None:
    answer = await app.post(
        "/v1/matches:preview", json={"image": image(), "user_id": "abstained-user"}
    )
    assert "none" in outcomes(fits(answer.json(), "LookMatches"))


async def test_products_can_be_searched_and_bought(app: AsyncClient) -> None:
    page = fits((await app.get("/v1/products?q=red shirt&limit=3")).json(), "ProductPage")
    first = page["products"][0]
    assert "Shirt" in first["product"]["update"]["title"]
    key = first["product"]["key"]
    fits((await app.get(f"/v1/products/{key}/similar")).json(), "ProductPage")
    assert (await app.get(f"/v1/products/{key}/picture")).status_code == 200
    sold = await app.get(first["link"])
    assert (sold.status_code, sold.headers["location"][:20]) == (302, "https://shop.example")


async def test_answers_are_the_same_each_time(app: AsyncClient) -> None:
    first = await app.get("/v1/looks/matched/matches?wait=20")
    again = await app.get("/v1/looks/matched/matches")
    assert first.content == again.content
    assert (await app.get("/readyz")).status_code == 200
