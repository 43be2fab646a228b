"""Webhooks: subscriptions to events, and the history of each delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

EventKind = Literal["match", "change"]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+", max_length=2000)]


class NewWebhook(BaseModel):
    """The subscription of an address to events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Url = Field(description="Gets a POST for each event, signed as Standard Webhooks.")
    kinds: tuple[EventKind, ...] = Field(
        ("match",), min_length=1, description="match: looks.matched; change: catalog.changes."
    )
    description: str = Field("", max_length=300)


class Webhook(NewWebhook):
    """A webhook without its secret."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    created_at: datetime
    disabled_because: str | None = Field(None, description="Null: it is active.")


class WebhookSecret(Webhook):
    """A new webhook with its secret, which is shown only once."""

    secret: str = Field(description="whsec_ and the key in base64.")


class Attempt(BaseModel):
    """One try of a delivery."""

    at: datetime
    status: int | None = Field(None, description="Of the answer; null: there was none.")
    error: str | None = None
    seconds: float


class Delivery(BaseModel):
    """An event on its way to a webhook."""

    id: str = Field(description="The webhook-id header: equal for every attempt.")
    webhook: str
    event_id: str
    kind: EventKind
    state: Literal["pending", "delivered", "failed"]
    attempts: list[Attempt] = []
    next_attempt_at: datetime | None = None


class DeliveryPage(BaseModel):
    """The latest deliveries of a webhook, the newest first."""

    deliveries: list[Delivery]


class WebhookList(BaseModel):
    """All webhooks."""

    webhooks: list[Webhook]
