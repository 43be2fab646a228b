"""Delivers events to webhooks, as Standard Webhooks (standardwebhooks.com, version 1) describes.

Each webhook has a task and a queue of its own: one that is slow or away delays no other.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
import uuid
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

import httpcore
import httpx
import structlog
from pydantic import BaseModel, ValidationError

from operators.concurrency import cancel
from operators.images.guard import check_url
from operators.stores.redis.webhooks import RedisWebhooks
from schemas.errors import LookSyncError
from schemas.ids import NAMESPACE
from schemas.webhooks import Attempt, Delivery, EventKind, WebhookSecret
from services.api.arrivals import Arrival

log = structlog.get_logger()

PAUSES = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""Seconds after each failed attempt, as the standard recommends; then the delivery has failed."""
KEPT_SECONDS = 3 * 86_400
"""Longer than all attempts take."""
LOGGED = 1000
"""Deliveries per webhook that are listed."""
ANSWER_SECONDS = 15.0
AT_ONCE = 4
"""Deliveries to one webhook."""
LEASE_SECONDS = 60.0
POLL_SECONDS = 0.5
REREAD_SECONDS = 2.0
"""How long a new webhook, or one that was deleted, may go unnoticed."""


_UNREACHABLE = (
    *(httpx.HTTPError, httpx.InvalidURL, LookSyncError, OSError),
    *(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException),
)
"""What an attempt without an answer raises."""


class StoredDelivery(BaseModel):
    """A delivery with its body, until it is settled."""

    delivery: Delivery
    body: bytes = b""
    """zlib, base64 in JSON."""

    model_config = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}


def sign(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature header. ``secret``: whsec_ and a key in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{message}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


class Deliveries:
    """Queues events and delivers them."""

    def __init__(
        self,
        store: RedisWebhooks,
        transport: httpx.AsyncBaseTransport,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``transport``: guarded, since clients choose the addresses."""
        self._store = store
        self._transport = transport
        self._now = now
        self._hooks: dict[str, WebhookSecret] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._known = asyncio.Event()
        """Set once the webhooks have been read."""

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                await self._reread()
                await asyncio.sleep(REREAD_SECONDS)
        finally:
            await cancel(list(self._tasks.values()))

    async def queue(self, arrival: Arrival) -> None:
        """Queue ``arrival`` for the webhooks of its kind; queueing it again is the same. Raises
        Unavailable."""
        await self._known.wait()
        for hook in list(self._hooks.values()):
            if arrival.kind in hook.kinds and hook.disabled_because is None:
                name = f"msg_{uuid.uuid5(NAMESPACE, f'delivery/{hook.id}/{arrival.event_id}').hex}"
                delivery = Delivery(
                    id=name,
                    webhook=hook.id,
                    event_id=arrival.event_id,
                    kind=arrival.kind,
                    state="pending",
                )
                stored = StoredDelivery(
                    delivery=delivery, body=zlib.compress(_body(arrival.kind, arrival.data))
                )
                await self._store.add(hook.id, name, stored.model_dump_json().encode(), self._now())

    async def _reread(self) -> None:
        try:
            found = await self._store.hooks()
        except LookSyncError as error:
            log.warning("webhooks cannot be read", error=str(error))
            return
        self._hooks = {name: read_hook(value) for name, value in found.items()}
        self._known.set()
        for name in self._tasks.keys() - self._hooks.keys():
            await cancel([self._tasks.pop(name)])
        for name in self._hooks.keys() - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._serve(name))

    async def _serve(self, name: str) -> None:
        while True:
            try:
                due = await self._store.lease(name, self._now(), AT_ONCE, LEASE_SECONDS)
                await asyncio.gather(*(self._deliver(name, one) for one in due))
            except LookSyncError as error:
                log.warning("a webhook is not served", webhook=name, error=str(error))
                due = []
            if not due:
                await asyncio.sleep(POLL_SECONDS)

    async def _deliver(self, name: str, delivery: str) -> None:
        hook, value = self._hooks.get(name), await self._store.delivery(delivery)
        if hook is None or hook.disabled_because is not None or value is None:
            await self._store.settle(name, delivery)
            return
        try:
            stored = StoredDelivery.model_validate_json(value)
            body = zlib.decompress(stored.body)
        except (ValidationError, zlib.error):
            log.warning("a delivery cannot be read", webhook=name, delivery=delivery)
            await self._store.settle(name, delivery)
            return
        attempt = await self._attempt(hook, delivery, body)
        await self._settle(hook, stored, attempt)

    async def _attempt(self, hook: WebhookSecret, delivery: str, body: bytes) -> Attempt:
        timestamp = int(self._now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "LookSync",
            "webhook-id": delivery,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(hook.secret, delivery, timestamp, body),
        }
        started = time.monotonic()
        status = error = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await self._post(hook.url, headers, body)
        except TimeoutError:
            error = f"no answer within {ANSWER_SECONDS:g} s"
        except _UNREACHABLE as raised:
            error = str(raised) or "the connection broke"
        return Attempt(
            at=datetime.now(UTC), status=status, error=error, seconds=time.monotonic() - started
        )

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """The status of the answer, whose body is not read. Redirects are not followed."""
        request = httpx.Request("POST", check_url(url), headers=headers, content=body)
        response = await self._transport.handle_async_request(request)
        await response.aclose()
        return response.status_code

    async def _settle(self, hook: WebhookSecret, stored: StoredDelivery, attempt: Attempt) -> None:
        attempts = [*stored.delivery.attempts, attempt]
        changes: dict[str, object] = {"attempts": attempts, "next_attempt_at": None}
        body = b""
        if attempt.status is not None and 200 <= attempt.status < 300:
            changes["state"] = "delivered"
        elif attempt.status == HTTPStatus.GONE or len(attempts) > len(PAUSES):
            changes["state"] = "failed"
        else:
            due = self._now() + PAUSES[len(attempts) - 1]
            changes["next_attempt_at"] = datetime.fromtimestamp(due, UTC)
            body = stored.body
        done = StoredDelivery(delivery=stored.delivery.model_copy(update=changes), body=body)
        await self._store.put_delivery(done.delivery.id, done.model_dump_json().encode())
        if done.delivery.next_attempt_at is not None:
            await self._store.schedule(hook.id, done.delivery.id, due)
            return
        await self._store.settle(hook.id, done.delivery.id)
        if attempt.status == HTTPStatus.GONE:
            disabled = hook.model_copy(update={"disabled_because": "it answered 410 (gone)"})
            self._hooks[hook.id] = disabled
            await self._store.put_hook(hook.id, disabled.model_dump_json().encode())


def read_hook(value: bytes) -> WebhookSecret:
    """A stored webhook."""
    return WebhookSecret.model_validate_json(value)


def _body(kind: EventKind, data: str) -> bytes:
    """The payload: the event as it is on its topic, in the standard's envelope."""
    topic = {"match": "looks.matched", "change": "catalog.changes"}[kind]
    moment = datetime.now(UTC).isoformat()
    return f'{{"type":"{topic}","timestamp":"{moment}","data":{data}}}'.encode()
