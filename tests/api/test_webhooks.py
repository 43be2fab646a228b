"""Webhooks: signed, retried with growing pauses, each served on its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from operators.concurrency import running
from operators.stores.redis.webhooks import RedisWebhooks
from services.api import deliveries
from services.api.arrivals import Arrival
from services.api.deliveries import KEPT_SECONDS, LOGGED, PAUSES, Deliveries, sign
from tests.api.conftest import Serve
from tests.api.requests import image, until
from tests.stores.conftest import client

__all__ = ["client"]

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
MATCH = Arrival("6a9f3c1e-52c4-4b8e-9a77-0f3f4f1f2b10", "match", '{"look_id":"look-1"}')
CHANGE = Arrival("7a9f3c1e-52c4-4b8e-9a77-0f3f4f1f2b11", "change", '{"key":"a:b"}')

Answer = Callable[[httpx.Request], httpx.Response]


class Receivers(httpx.AsyncBaseTransport):
    """Hosts with scripted answers; ``seen``: the requests."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self._answers = answers
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self._answers[request.url.host](request)


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def status(code: int) -> Answer:
    return lambda request: httpx.Response(code)


@asynccontextmanager
async def delivering(
    client: Redis, receivers: Receivers, clock: Clock, *hooks: str
) -> AsyncIterator[Deliveries]:
    """Deliveries to the hosts ``hooks``."""
    store = RedisWebhooks(client, KEPT_SECONDS, LOGGED)
    for host in hooks:
        hook = {"id": host, "url": f"https://{host}/", "secret": SECRET, "kinds": ["match"]}
        hook["created_at"] = "2026-11-29T00:00:00Z"
        await store.put_hook(host, json.dumps(hook).encode())
    made = Deliveries(store, receivers, clock)
    async with running(made.run()):
        yield made


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "POLL_SECONDS", 0.01)


async def test_an_event_is_delivered_once_and_signed(client: Redis) -> None:
    receivers = Receivers({"app": status(204)})
    async with delivering(client, receivers, Clock(), "app") as made:
        for arrival in (MATCH, MATCH, CHANGE):
            await made.queue(arrival)
        await until(lambda: len(receivers.seen) == 1)
    (request,) = receivers.seen
    body = request.content
    assert json.loads(body)["data"] == {"look_id": "look-1"}
    assert json.loads(body)["type"] == "looks.matched"
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, content + body, hashlib.sha256)).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_the_standards() -> None:
    """The example of the specification's libraries."""
    found = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_failing_webhook_is_tried_again_with_growing_pauses(client: Redis) -> None:
    receivers, clock = Receivers({"app": status(500)}), Clock()
    async with delivering(client, receivers, clock, "app") as made:
        await made.queue(MATCH)
        for attempt, pause in enumerate((*PAUSES, 0), start=1):
            await until(lambda n=attempt: len(receivers.seen) == n)  # type: ignore[misc]
            store = RedisWebhooks(client, KEPT_SECONDS, LOGGED)
            (name,) = await store.latest("app")

            async def attempts(name: str = name, store: RedisWebhooks = store) -> int:
                value = await store.delivery(name)
                return len(json.loads(value or b"{}")["delivery"]["attempts"])

            while await attempts() < attempt:
                pass
            clock.seconds += pause
        value = json.loads(await store.delivery(name) or b"")
    assert value["delivery"]["state"] == "failed"
    assert value["body"] == "", "its body is no longer kept"
    assert len({request.headers["webhook-id"] for request in receivers.seen}) == 1


async def test_one_that_is_away_delays_no_other(client: Redis) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    receivers = Receivers({"away": away, "app": status(200)})
    async with delivering(client, receivers, Clock(), "away", "app") as made:
        await made.queue(MATCH)
        await until(lambda: {one.url.host for one in receivers.seen} == {"away", "app"})


async def test_one_that_is_gone_is_disabled(client: Redis) -> None:
    receivers = Receivers({"app": status(410)})
    async with delivering(client, receivers, Clock(), "app") as made:
        await made.queue(MATCH)
        await until(lambda: len(receivers.seen) == 1)
        store = RedisWebhooks(client, KEPT_SECONDS, LOGGED)
        while b"answered 410" not in (await store.hooks())["app"]:
            pass


async def test_webhooks_are_managed_over_http(serve: Serve) -> None:
    async with serve() as served:
        http = served.client
        made = (await http.post("/v1/webhooks", json={"url": "https://app.example/hook"})).json()
        assert made["secret"].startswith("whsec_")
        (listed,) = (await http.get("/v1/webhooks")).json()["webhooks"]
        assert listed == {name: value for name, value in made.items() if name != "secret"}
        path = f"/v1/webhooks/{made['id']}"
        assert (await http.get(f"{path}/deliveries")).json() == {"deliveries": []}
        wrong = await http.post("/v1/webhooks", json={"url": "ftp://app.example"})
        assert wrong.status_code == 422
        assert (await http.delete(path)).status_code == 204
        assert (await http.get(path)).status_code == 404
        assert (await http.delete(path)).status_code == 404


async def test_an_address_inside_the_network_is_refused_and_logged(serve: Serve) -> None:
    async with serve() as served:
        http = served.client
        made = (await http.post("/v1/webhooks", json={"url": "http://127.0.0.1/hook"})).json()
        path = f"/v1/webhooks/{made['id']}/deliveries"
        await http.post("/v1/looks", json={"look_id": "look-1", "image": image()})
        # The new webhook is noticed within two seconds.
        found: list[dict[str, Any]] = []
        while not found:
            await served.flow()
            await http.get("/v1/looks/look-1/matches?wait=1")
            found = (await http.get(path)).json()["deliveries"]
        while not found[0]["attempts"]:
            found = (await http.get(path)).json()["deliveries"]
        attempt = found[0]["attempts"][0]
        assert attempt["status"] is None
        assert "127.0.0.1" in attempt["error"]
        retried = await http.post(f"{path}/{found[0]['id']}/retry")
        assert retried.status_code == 202
