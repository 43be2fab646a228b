"""Requests that once ended in a 500, each of another kind."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.api.conftest import Serve
from tests.api.requests import png

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "fields",
    [
        '"at": "0001-01-01T00:00:00+14:00"',
        '"at": "9999-12-31T23:59:59-14:00"',
        '"at": "2026-11-29T00:00:00Z", "ours": "\\ud800"',
        f'"at": "2026-11-29T00:00:00Z", "ours": {"[" * 500}{"]" * 500}',
    ],
    ids=["before the first year", "after the last year", "half a character", "deep"],
)
async def test_an_interaction_that_cannot_be_written_is_refused(serve: Serve, fields: str) -> None:
    event = json.dumps({"event_id": str(uuid.uuid4()), "kind": "buy", "product_key": "a:shirt"})
    body = f'{{"events": [{event[:-1]}, {fields}}}]}}'
    async with serve() as served:
        answer = await served.client.post("/v1/events", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


@pytest.mark.parametrize("path", ["/v1/looks", "/v1/matches:preview"])
async def test_a_form_without_end_is_refused(serve: Serve, path: str) -> None:
    async with serve() as served:
        files = {"image": ("look.png", png(), "image/png")}
        answer = await served.client.post(path, files=files, data={"look": "[" * 100_000})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


async def test_an_address_whose_name_is_none_is_refused(serve: Serve) -> None:
    async with serve() as served:
        image = {"image": {"url": "http://xn--a/look.png"}}
        event = (await served.client.post("/v1/matches:preview", json=image)).json()
        assert event["refused"] == "bad-url"
        hook = await served.client.post("/v1/webhooks", json={"url": "http://xn--a/"})
        assert (hook.status_code, hook.json()["code"]) == (422, "bad-url")


async def test_a_price_beyond_all_money_is_refused(serve: Serve) -> None:
    async with serve() as served:
        query = f"q=shirt&currency=INR&max_price={10**18}"
        answer = await served.client.get(f"/v1/products?{query}")
        assert answer.json()["errors"][0]["field"] == "query.max_price"


async def test_a_wait_without_end_is_refused(serve: Serve) -> None:
    async with serve() as served:
        for wait in ("inf", "nan"):
            answer = await served.client.get(f"/v1/looks/look-1/matches?wait={wait}")
            assert answer.status_code == 422


async def test_all_methods_of_a_path_are_named(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.client.put("/v1/webhooks")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_one_of_several_tags_is_enough(serve: Serve) -> None:
    async with serve() as served:
        path = "/v1/products/a:shirt"
        tag = (await served.client.get(path)).headers["etag"]
        for named in (f'"other", W/{tag}', "*"):
            answer = await served.client.get(path, headers={"If-None-Match": named})
            assert answer.status_code == 304
        answer = await served.client.get(path, headers={"If-None-Match": '"other"'})
        assert answer.status_code == 200
