"""Deterministic identifiers: the same input gives the same id, so a replay can be recognised."""

from __future__ import annotations

import uuid

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://looksync.dev/ids")
"""Root of every id below; changing it changes every event id."""


def product_key(vendor: str, product_id: str) -> str:
    """``vendor:product_id``, the key of topics, ledger and index. A vendor has no colon in it."""
    return f"{vendor}:{product_id}"


def matched_event_id(look_id: str) -> uuid.UUID:
    """Id of the one event that a look ends with on looks.matched."""
    return uuid.uuid5(NAMESPACE, f"looks.matched/{look_id}")


def change_event_id(key: str, position: str) -> uuid.UUID:
    """Id of the change that the packet at ``position`` (topic/partition/offset) made to ``key``."""
    return uuid.uuid5(NAMESPACE, f"catalog.changes/{key}/{position}")


def index_id(key: str) -> uuid.UUID:
    """Id of a product's object in a vector store that wants UUIDs."""
    return uuid.uuid5(NAMESPACE, f"product/{key}")
