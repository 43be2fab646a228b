"""interactions: what people do with the products they are shown."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from schemas.attributes import Department
from schemas.base import Event, Key, Market, UtcTime
from schemas.looks import LookId


class Interaction(Event):
    """One act of a user. Key: user_id, or the event's id without one."""

    event_id: UUID = Field(description="Chosen by the app: an event that is sent again has it.")
    kind: Literal["view", "click", "save", "hide", "buy"]
    product_key: Key = Field(description="vendor:product_id")
    user_id: str | None = Field(None, min_length=1, max_length=200)
    look_id: LookId | None = Field(None, description="The look that the product was shown for.")
    layer: Department | None = None
    market: Market | None = None
    at: UtcTime
