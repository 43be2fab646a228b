"""Previews, products, interactions, the stream, keys, and limits."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from httpx import AsyncClient

from operators.streaming.files.topic import FileTopic
from services.api.access import hash_of
from tests.api.conftest import Serve, Served
from tests.api.requests import first_keys, image, png
from tests.matching.painted import JEANS, painting

READER, WRITER = "reader-key", "writer-key"
KEYS = [
    {"name": "reader", "sha256": hash_of(READER), "scopes": ["read"], "per_minute": 3},
    {"name": "writer", "sha256": hash_of(WRITER), "scopes": ["write", "match"]},
]


def interactions(served: Served) -> list[dict[str, object]]:
    topic = served.parts.interactions
    assert isinstance(topic, FileTopic)
    records = [record for p in range(topic.partitions) for record in topic.read(p)]
    return [json.loads(record.value) for record in records]


async def set_url(served: Served, key: str, url: str | None) -> None:
    entry = await served.parts.match.ledger.read(key)
    assert entry is not None
    update = entry.update.model_copy(update={"url": url})
    await served.parts.match.ledger.write(entry.model_copy(update={"update": update}))


async def preview(client: AsyncClient, **fields: object) -> dict[str, object]:
    answer = await client.post("/v1/matches:preview", json={"image": image(), **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_preview_is_answered_now_and_stores_nothing(serve: Serve) -> None:
    async with serve() as served:
        event = await preview(served.client)
        assert first_keys(event) == {"top": "a:shirt", "bottom": "a:jeans", "footwear": "a:boots"}
        assert (await served.client.get("/v1/looks")).json() == {"looks": [], "next": None}


async def test_a_preview_of_a_region_matches_only_that(serve: Serve) -> None:
    async with serve() as served:
        below = {"x0": 0.0, "y0": 0.5, "x1": 1.0, "y1": 1.0}
        event = await preview(served.client, region=below)
        assert "top" not in first_keys(event)
        layers = event["layers"]
        assert isinstance(layers, list)
        assert all(layer["region"]["y0"] >= 0.5 for layer in layers if layer["region"])


async def test_a_picture_without_garments_says_so(serve: Serve) -> None:
    async with serve() as served:
        event = await preview(served.client, image=image(painting()))
        assert event["refused"] == "no-garment-found"


async def test_too_many_previews_are_refused_at_once(serve: Serve) -> None:
    async with serve(in_flight=1, waiting=0) as served:
        pictures = [painting((JEANS, (25, 60, 55, 100 + n))) for n in range(6)]
        answers = await asyncio.gather(
            *(
                served.client.post("/v1/matches:preview", json={"image": image(picture)})
                for picture in pictures
            )
        )
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {200, 503}
        refused = answers[codes.index(503)]
        assert refused.json()["code"] == "overloaded"
        assert refused.headers["retry-after"] == "1"
        assert (await preview(served.client))["layers"], "the slot is free again"


async def test_a_body_that_is_too_large_is_refused(serve: Serve) -> None:
    async with serve(max_body_bytes=5000) as served:

        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1000

        for body in (b"x" * 6000, endless()):
            answer = await served.client.post(
                "/v1/looks", content=body, headers={"Content-Type": "application/json"}
            )
            assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


async def test_a_product_has_an_entity_tag(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.client.get("/v1/products/a:shirt")
        assert answer.json()["product"]["key"] == "a:shirt"
        tag = {"If-None-Match": answer.headers["etag"]}
        again = await served.client.get("/v1/products/a:shirt", headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        await set_url(served, "a:shirt", "https://shop.example/new")
        assert (await served.client.get("/v1/products/a:shirt", headers=tag)).status_code == 200
        assert (await served.client.get("/v1/products/a:none")).status_code == 404


async def test_products_are_searched_by_text_and_by_likeness(serve: Serve) -> None:
    async with serve() as served:
        found = (await served.client.get("/v1/products?q=blue bottom solid jeans")).json()
        assert found["products"][0]["product"]["key"] == "a:jeans"
        tops = (await served.client.get("/v1/products?q=red shirt&layer=top&limit=2")).json()
        assert {
            one["product"]["attributes"]["department"]["value"] for one in tops["products"]
        } == {"top"}
        assert tops["next"] == "2"
        rest = (
            await served.client.get("/v1/products?q=red shirt&layer=top&limit=2&cursor=2")
        ).json()
        assert (len(rest["products"]), rest["next"]) == (1, None)
        alike = (await served.client.get("/v1/products/a:shirt/similar")).json()
        assert [one["product"]["key"] for one in alike["products"]] == ["a:blouse", "a:t-shirt"]
        priced = await served.client.get("/v1/products?q=shirt&max_price=5")
        assert "a price needs a currency" in priced.json()["detail"]
        misspelt = await served.client.get("/v1/products?q=shirt&colur=red")
        assert misspelt.json()["errors"][0]["field"] == "query.colur"
        none = await served.client.get("/v1/products?q=shirt&max_price=5&currency=INR")
        assert none.json()["products"] == []


async def test_a_link_leads_to_the_shop_and_nowhere_else(serve: Serve) -> None:
    async with serve() as served:
        await set_url(served, "a:shirt", "https://shop.example/shirt")
        link = (await served.client.get("/v1/products/a:shirt")).json()["link"]
        answer = await served.client.get(link)
        assert (answer.status_code, answer.headers["location"]) == (
            302,
            "https://shop.example/shirt",
        )
        (click,) = interactions(served)
        assert (click["kind"], click["product_key"]) == ("click", "a:shirt")
        for forged in (link[:-2] + "AA", "/r/aaaa", "/r/https:%2F%2Fevil.example", "/r/é"):
            assert (await served.client.get(forged)).status_code == 404
        await set_url(served, "a:shirt", "javascript:alert(1)")
        assert (await served.client.get(link)).status_code == 410


async def test_interactions_go_to_their_topic(serve: Serve) -> None:
    async with serve() as served:
        event = {
            "event_id": str(uuid.uuid4()),
            "kind": "save",
            "product_key": "a:shirt",
            "user_id": "u-1",
            "at": datetime.now(UTC).isoformat(),
        }
        answer = await served.client.post("/v1/events", json={"events": [event]})
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
        assert interactions(served)[0]["event_id"] == event["event_id"]
        wrong = await served.client.post("/v1/events", json={"events": [{**event, "kind": "eat"}]})
        assert wrong.status_code == 422


async def test_keys_have_scopes_and_limits(serve: Serve) -> None:
    async with serve(keys=KEYS) as served:

        async def status(path: str, key: str) -> int:
            headers = {"Authorization": f"Bearer {key}"}
            return (await served.client.get(path, headers=headers)).status_code

        assert (await served.client.get("/v1/meta")).status_code == 401
        assert await status("/v1/meta", "wrong") == 401
        assert await status("/v1/meta", WRITER) == 403
        assert (await served.client.get("/healthz")).status_code == 200
        codes = [await status("/v1/meta", READER) for _ in range(4)]
        assert codes == [200, 200, 200, 429]
        limited = await served.client.get("/v1/meta", headers={"Authorization": f"Bearer {READER}"})
        assert int(limited.headers["retry-after"]) >= 1
        assert limited.json()["code"] == "too-many-requests"


async def test_the_document_describes_bodies_and_problems(serve: Serve) -> None:
    async with serve() as served:
        document = (await served.client.get("/openapi.json")).json()
        schemas = document["components"]["schemas"]
        assert {"NewLook", "PreviewRequest", "Problem", "LookMatches"} <= schemas.keys()
        assert document["openapi"].startswith("3.1")
        body = document["paths"]["/v1/looks"]["post"]["requestBody"]["content"]
        assert set(body) == {"application/json", "multipart/form-data"}


async def test_other_media_types_are_refused(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.client.post(
            "/v1/looks", content=png(), headers={"Content-Type": "image/png"}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
