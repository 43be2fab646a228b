"""Deterministic identifiers: the same input gives the same id, so replays are recognised."""

from __future__ import annotations

import uuid

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://looksync.dev/ids")
"""Namespace of all ids below; changing it changes every event id."""


def product_key(vendor: str, product_id: str) -> str:
    """``vendor:product_id``, the key in topics, ledger and index. Vendor names have no colon."""
    return f"{vendor}:{product_id}"


def matched_event_id(look_id: str) -> uuid.UUID:
    """Id of the one event on looks.matched that answers a look."""
    return uuid.uuid5(NAMESPACE, f"looks.matched/{look_id}")


def change_event_id(key: str, position: str) -> uuid.UUID:
    """Id of the change to ``key`` by the packet at ``position`` (topic/partition/offset)."""
    return uuid.uuid5(NAMESPACE, f"catalog.changes/{key}/{position}")


def index_id(key: str) -> uuid.UUID:
    """Id of a product's object in a vector store whose keys are UUIDs."""
    return uuid.uuid5(NAMESPACE, f"product/{key}")
