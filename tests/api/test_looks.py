"""Sending looks, and reading their matches."""

from __future__ import annotations

import asyncio
import json

from operators.streaming.files.topic import FileTopic
from schemas.ids import matched_event_id
from tests.api.conftest import Serve, Served
from tests.api.requests import first_keys, image, png, until

MATCHED = {"top": "a:shirt", "bottom": "a:jeans", "footwear": "a:boots"}


def sent(served: Served) -> int:
    looks = served.parts.looks
    assert isinstance(looks, FileTopic)
    return sum(len(list(looks.read(partition))) for partition in range(looks.partitions))


async def test_a_look_is_sent_matched_by_the_flow_and_read(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.client.post(
            "/v1/looks", json={"look_id": "look-1", "image": image(), "market": "IN"}
        )
        assert answer.status_code == 202
        assert answer.headers["location"] == "/v1/looks/look-1"
        assert answer.json()["status"] == "pending"
        pending = await served.client.get("/v1/looks/look-1/matches")
        assert (pending.status_code, pending.json()["code"]) == (404, "pending")
        waiting = asyncio.create_task(served.client.get("/v1/looks/look-1/matches?wait=20"))
        await served.flow()
        event = (await waiting).json()
        assert first_keys(event) == MATCHED
        assert event["event_id"] == str(matched_event_id("look-1"))
        assert (await served.client.get("/v1/looks/look-1")).json()["status"] == "matched"


async def test_a_client_that_prefers_to_wait_gets_the_match(serve: Serve) -> None:
    async with serve() as served:
        asked = asyncio.create_task(
            served.client.post(
                "/v1/looks",
                files={"image": ("look.png", png(), "image/png")},
                data={"look": json.dumps({"look_id": "look-2"})},
                headers={"Prefer": "wait=20"},
            )
        )
        await until(lambda: sent(served) == 1)
        await served.flow()
        answer = await asked
        assert answer.status_code == 200
        assert first_keys(answer.json()) == MATCHED


async def test_the_same_idempotency_key_sends_a_look_once(serve: Serve) -> None:
    async with serve() as served:
        headers = {"Idempotency-Key": "order-7"}
        answers = await asyncio.gather(
            *(
                served.client.post("/v1/looks", json={"image": image()}, headers=headers)
                for _ in range(5)
            )
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["look_id"] for answer in answers}) == 1
        assert sent(served) == 1
        other = await served.client.post(
            "/v1/looks", json={"image": image(), "market": "JP"}, headers=headers
        )
        assert (other.status_code, other.json()["code"]) == (409, "another-look")
        assert sent(served) == 1


async def test_a_bad_picture_is_refused_at_once(serve: Serve) -> None:
    async with serve() as served:
        files = {"image": ("look.png", b"no picture", "image/png")}
        answer = await served.client.post("/v1/looks", files=files)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert sent(served) == 0


async def test_a_misspelt_field_is_named(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.client.post("/v1/looks", json={"image": image(), "markt": "IN"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "body.markt"


async def test_a_sold_out_product_is_replaced_by_a_spare(serve: Serve) -> None:
    async with serve(products_shown=1) as served:
        await served.client.post("/v1/looks", json={"look_id": "look-1", "image": image()})
        (event,) = await served.flow()
        top = next(layer for layer in event.layers if layer.layer == "top")
        assert len(top.products) > 1, "there are spares"
        path = "/v1/looks/look-1/matches?wait=20"
        assert first_keys((await served.client.get(path)).json()) == MATCHED
        for key in ("a:shirt", "a:jeans"):
            entry = await served.parts.match.ledger.read(key)
            assert entry is not None
            update = entry.update.model_copy(update={"stock": 0})
            await served.parts.match.ledger.write(entry.model_copy(update={"update": update}))
        later = (await served.client.get(path)).json()
        assert first_keys(later) == {
            "top": top.products[1].product.key,
            "footwear": "a:boots",
        }
        bottom = next(layer for layer in later["layers"] if layer["layer"] == "bottom")
        assert (bottom["outcome"], bottom["abstained"]) == ("none", "no-longer-offered")
        shown = next(layer for layer in later["layers"] if layer["layer"] == "top")["products"]
        assert [one["rank"] for one in shown] == [1]


async def test_matches_that_came_while_the_api_was_down_are_kept(serve: Serve) -> None:
    async with serve() as served:
        await served.client.post("/v1/looks", json={"look_id": "early", "image": image()})
        await served.flow()
        assert (await served.client.get("/v1/looks/early/matches?wait=20")).status_code == 200
        await served.client.post("/v1/looks", json={"look_id": "late", "image": image()})
        events = await served.match()
    served.publish(events)
    async with serve() as again:
        assert (await again.client.get("/v1/looks/late/matches?wait=20")).status_code == 200


async def test_looks_are_listed_by_cursor(serve: Serve) -> None:
    async with serve() as served:
        names = [f"look-{n}" for n in range(5)]
        for name in names:
            await served.client.post("/v1/looks", json={"look_id": name, "image": image()})
        await served.flow()
        for name in names:
            await served.client.get(f"/v1/looks/{name}/matches?wait=20")
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"limit=2&cursor={cursor}" if cursor else "limit=2"
            page = (await served.client.get(f"/v1/looks?{query}")).json()
            found += [event["look_id"] for event in page["looks"]]
            cursor = page["next"]
        assert sorted(found) == names
        wrong = await served.client.get("/v1/looks?cursor=xyz")
        assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid-cursor")


async def test_an_unknown_look_is_not_found(serve: Serve) -> None:
    async with serve() as served:
        answer = await served.client.get("/v1/looks/nobody/matches")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
