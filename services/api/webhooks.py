"""/v1/webhooks: subscriptions to events, and their deliveries."""

from __future__ import annotations

import base64
import secrets
import time
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, Depends, Response

from operators.images.guard import check_url
from operators.stores.redis.webhooks import RedisWebhooks
from schemas.webhooks import (
    Delivery,
    DeliveryPage,
    NewWebhook,
    Webhook,
    WebhookList,
    WebhookSecret,
)
from services.api.access import Access
from services.api.deliveries import StoredDelivery, read_hook
from services.api.openapi import KEYED, problems
from services.api.problems import ApiProblem, not_found

UNKNOWN = problems("not-found", *KEYED)
LISTED = 100
"""Deliveries in one answer."""


def webhooks_router(access: Access, store: RedisWebhooks) -> APIRouter:
    """The routes of webhooks."""
    router = APIRouter(
        prefix="/v1/webhooks",
        tags=["webhooks"],
        dependencies=[Depends(access.requires("admin"))],
    )

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        responses=problems("invalid-request", "credentials", *KEYED),
    )
    async def add_webhook(asked: NewWebhook, response: Response) -> WebhookSecret:
        """Add a webhook. Only this answer has its secret."""
        check_url(asked.url)
        key = base64.b64encode(secrets.token_bytes(24)).decode()
        hook = WebhookSecret(
            **asked.model_dump(),
            id=f"wh_{secrets.token_hex(8)}",
            created_at=datetime.now(UTC),
            secret=f"whsec_{key}",
        )
        await store.put_hook(hook.id, hook.model_dump_json().encode())
        response.headers["Location"] = f"/v1/webhooks/{hook.id}"
        return hook

    @router.get("")
    async def list_webhooks() -> WebhookList:
        """All webhooks, without their secrets."""
        found = [read_hook(value) for value in (await store.hooks()).values()]
        ordered = sorted(found, key=lambda hook: hook.created_at)
        return WebhookList(webhooks=[Webhook(**hook.model_dump()) for hook in ordered])

    @router.get("/{hook}", responses=UNKNOWN)
    async def read_webhook(hook: str) -> Webhook:
        """One webhook, without its secret."""
        return Webhook(**(await _found(store, hook)).model_dump())

    @router.delete("/{hook}", status_code=HTTPStatus.NO_CONTENT, responses=UNKNOWN)
    async def delete_webhook(hook: str) -> None:
        """Delete a webhook, and what is still to be delivered to it."""
        if not await store.delete_hook(hook):
            raise not_found(f"webhook {hook}")

    @router.get("/{hook}/deliveries", responses=UNKNOWN)
    async def list_deliveries(hook: str) -> DeliveryPage:
        """The latest deliveries, the newest first, with every attempt."""
        await _found(store, hook)
        page = []
        for name in (await store.latest(hook))[:LISTED]:
            value = await store.delivery(name)
            if value is not None:
                page.append(StoredDelivery.model_validate_json(value).delivery)
        return DeliveryPage(deliveries=page)

    @router.post(
        "/{hook}/deliveries/{delivery}/retry",
        status_code=HTTPStatus.ACCEPTED,
        responses=problems("not-found", "settled", *KEYED),
    )
    async def retry_delivery(hook: str, delivery: str) -> Delivery:
        """Deliver a pending one now instead of at its next attempt. What was delivered, or has
        failed for good, is no longer kept: 409."""
        await _found(store, hook)
        value = await store.delivery(delivery)
        if value is None or delivery not in await store.latest(hook):
            raise not_found(f"delivery {delivery}")
        found = StoredDelivery.model_validate_json(value).delivery
        if found.state != "pending":
            raise ApiProblem(HTTPStatus.CONFLICT, "settled", f"the delivery is {found.state}")
        await store.schedule(hook, delivery, time.time())
        return found

    return router


async def _found(store: RedisWebhooks, hook: str) -> WebhookSecret:
    value = (await store.hooks()).get(hook)
    if value is None:
        raise not_found(f"webhook {hook}")
    return read_hook(value)
