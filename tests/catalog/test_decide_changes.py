"""The change that an entry publishes, and the entry that is read from it again."""

from __future__ import annotations

from typing import Any

import pytest

from operators.catalog.decide import change_of, entry_of_change
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import Decision, PendingPicture
from tests.catalog.entries import ALIVE, DELETED, NOW, PATCHED, UNKNOWN
from tests.catalog.small_shop import RED

PENDING = PendingPicture(reason="timeout", refused=False, since=NOW, last_try=NOW, attempts=1)


@pytest.mark.parametrize("missing", ["last_position", "last_decision", "changed_at"])
def test_without_a_change_there_is_no_event(missing: str) -> None:
    with pytest.raises(ValueError, match="no change yet"):
        change_of(ALIVE.model_copy(update={missing: None}))


def test_a_change_carries_the_entry_and_gives_it_back() -> None:
    whole = PATCHED.model_copy(
        update={
            "attributes": StandardAttributes(colour=Attribute(value="red", source="rule")),
            "image_url": RED,
            "image_hash": "hash",
            "attributes_hash": "digest",
            "picture_pending": PENDING,
        }
    )
    change = change_of(whole)
    assert (change.version, change.upsert_version, change.patched) == (7, 5, {"stock": 7})
    assert (change.decision, change.changed_at) == (Decision.CREATED, NOW)
    in_index_only: dict[str, Any] = {"indexed": False, "model": None, "attributes_hash": None}
    assert entry_of_change(change) == whole.model_copy(update=in_index_only)


def test_the_change_of_a_deletion_has_its_version_and_no_product() -> None:
    waiting = {"patched": {"stock": 8}, "picture_pending": PENDING}
    change = change_of(DELETED.model_copy(update=waiting))
    assert (change.decision, change.version, change.position) == (Decision.DELETED, 5, "p/0/2")
    assert (change.product, change.upsert_version, change.patched) == (None, None, {})
    assert entry_of_change(change) == DELETED


def test_a_change_in_the_old_format_is_an_upsert() -> None:
    change = change_of(PATCHED).model_copy(update={"upsert_version": None, "patched": {}})
    assert (entry_of_change(change).version, entry_of_change(change).patched) == (7, {})


def test_a_change_of_a_product_of_unknown_version_gives_it_back() -> None:
    history: dict[str, Any] = {
        "last_position": "p/0/1",
        "last_decision": Decision.UPDATED,
        "changed_at": NOW,
    }
    patched = UNKNOWN.model_copy(update={"patched": {"stock": 7}, **history})
    for entry, version in ((UNKNOWN.model_copy(update=history), -1), (patched, 7)):
        change = change_of(entry)
        assert (change.version, change.upsert_version) == (version, -1)
        back = entry_of_change(change)
        assert (back.exists, back.version, back.patched) == (True, None, entry.patched)
