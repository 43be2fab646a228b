"""The decision about one packet, on ledger entries alone: no stores, no pictures."""

from __future__ import annotations

from typing import Any

import pytest

from operators.catalog.decide import (
    Action,
    decide,
    needs_restandardising,
    picture_may_have_changed,
)
from schemas.catalog import Decision, LedgerEntry, ProductUpdate
from schemas.money import Money
from tests.catalog.entries import ALIVE, DELETED, HELD, MODELS, NOW, PATCHED, UNKNOWN
from tests.catalog.small_shop import BLUE, GREEN, KEY, RED, packet

UPDATE = ProductUpdate(title="Saree", stock=1)
STOCK = ProductUpdate(stock=1)


def decision(
    before: LedgerEntry | None, kind: str, version: int, position: str = "p/0/9"
) -> tuple[Action, LedgerEntry]:
    update = {"upsert": UPDATE, "patch": STOCK, "delete": None}[kind]
    plan = decide(before, packet(kind, version), update, position, MODELS)
    return plan.action, plan.entry


@pytest.mark.parametrize(
    ("before", "kind", "actions"),
    [
        # The actions for versions 4, 5, 6, 7 and 8.
        (None, "upsert", "reconcile reconcile reconcile reconcile reconcile"),
        (None, "patch", "record record record record record"),
        (None, "delete", "delete delete delete delete delete"),
        (ALIVE, "upsert", "drop drop reconcile reconcile reconcile"),
        (ALIVE, "patch", "drop drop reconcile reconcile reconcile"),
        (ALIVE, "delete", "drop delete delete delete delete"),
        (PATCHED, "upsert", "drop drop reconcile reconcile reconcile"),
        (PATCHED, "patch", "drop drop drop drop reconcile"),
        (PATCHED, "delete", "drop delete delete delete delete"),
        (DELETED, "upsert", "drop drop reconcile reconcile reconcile"),
        (DELETED, "patch", "drop drop record record record"),
        (DELETED, "delete", "drop drop record record record"),
        (UNKNOWN, "upsert", "reconcile reconcile reconcile reconcile reconcile"),
        (UNKNOWN, "patch", "reconcile reconcile reconcile reconcile reconcile"),
        (UNKNOWN, "delete", "delete delete delete delete delete"),
        (HELD, "upsert", "reconcile reconcile reconcile reconcile reconcile"),
        (HELD, "patch", "drop drop record record record"),
        (HELD, "delete", "record record record record record"),
    ],
)
def test_the_action_depends_on_state_kind_and_version(
    before: LedgerEntry | None, kind: str, actions: str
) -> None:
    decided = [decision(before, kind, version)[0] for version in range(4, 9)]
    assert " ".join(action.name.lower() for action in decided) == actions


@pytest.mark.parametrize("kind", ["upsert", "patch", "delete"])
@pytest.mark.parametrize("before", [ALIVE, PATCHED, DELETED, HELD])
def test_a_dropped_packet_changes_nothing(before: LedgerEntry, kind: str) -> None:
    action, entry = decision(before, kind, 4)
    if action is Action.DROP:
        assert entry == before


def test_the_first_version_is_zero() -> None:
    for kind, action in (("upsert", "RECONCILE"), ("patch", "RECORD"), ("delete", "DELETE")):
        assert decision(None, kind, 0)[0].name == action
    assert decision(None, "upsert", 0)[1].version == 0


@pytest.mark.parametrize("kind", ["upsert", "patch", "delete"])
def test_every_packet_is_newer_than_an_unknown_version(kind: str) -> None:
    assert UNKNOWN.exists
    action, entry = decision(UNKNOWN, kind, 0)
    assert action is (Action.DELETE if kind == "delete" else Action.RECONCILE)
    assert (entry.exists, entry.version_unknown) == (kind != "delete", kind == "patch")


def test_version_zero_is_newer_than_a_forgotten_version() -> None:
    forget = packet("forget-version", 0)
    forgotten = decide(PATCHED, forget, None, "p/0/9", MODELS).entry
    assert forgotten.exists
    assert decision(forgotten, "upsert", 0)[1].version == 0
    assert not decide(DELETED, forget, None, "p/0/9", MODELS).entry.exists


def test_an_upsert_keeps_the_fields_of_newer_patches_only() -> None:
    _, at_six = decision(PATCHED, "upsert", 6)
    assert (at_six.version, at_six.patched) == (6, {"stock": 7})
    assert (at_six.update.title, at_six.update.stock) == ("Saree", 3)
    for version in (7, 8):
        _, entry = decision(PATCHED, "upsert", version)
        assert (entry.version, entry.patched, entry.update) == (version, {}, UPDATE)


def test_an_upsert_clears_the_tombstone_and_keeps_the_history() -> None:
    _, entry = decision(DELETED, "upsert", 6)
    assert (entry.version, entry.deleted_version, entry.exists) == (6, None, True)
    assert (entry.last_position, entry.last_decision) == ("p/0/2", Decision.DELETED)


def test_a_patch_sets_its_newer_fields_and_their_versions() -> None:
    update = ProductUpdate(title="Saree", stock=1)
    plan = decide(PATCHED, packet("patch", 6), update, "p/0/9", MODELS)
    assert plan.entry.patched == {"stock": 7, "title": 6}
    assert list(plan.entry.patched) == ["stock", "title"]
    assert (plan.entry.update.title, plan.entry.update.stock) == ("Saree", 3)
    assert (plan.entry.update.image_urls, plan.entry.version) == ((RED,), 5)


def test_a_tombstone_keeps_newer_patches_and_the_history() -> None:
    _, entry = decision(PATCHED, "delete", 6)
    assert entry == LedgerEntry(
        key=KEY,
        deleted_version=6,
        patched={"stock": 7},
        update=ProductUpdate(stock=3),
        last_position="p/0/1",
        last_decision=Decision.CREATED,
        changed_at=NOW,
    )
    assert decision(PATCHED, "delete", 7)[1].patched == {}


def test_a_replay_of_the_last_change_is_emitted_again() -> None:
    for before in (ALIVE, DELETED):
        assert before.last_position is not None
        for kind in ("upsert", "patch", "delete"):
            assert decision(before, kind, 9, before.last_position) == (Action.REEMIT, before)


@pytest.mark.parametrize(
    "lost", [{"indexed": False}, {"model": "model-b"}, {"indexed": False, "model": None}]
)
@pytest.mark.parametrize(("kind", "position"), [("upsert", "p/0/9"), ("upsert", "p/0/1")])
def test_any_packet_restores_a_product_missing_from_the_index(
    lost: dict[str, Any], kind: str, position: str
) -> None:
    before = ALIVE.model_copy(update=lost)
    assert decision(before, kind, 4, position) == (Action.RECONCILE, before)
    assert decision(before, "patch", 4, position) == (Action.RECONCILE, before)
    assert decision(before, "delete", 4, position) == (Action.RECONCILE, before)


def test_an_upsert_without_an_update_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs an update"):
        decide(None, packet("upsert", 1), None, "p/0/1", MODELS)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"title": "Saree"}, True),
        ({"brand": "Nima"}, True),
        ({"category_text": "Shoes"}, True),
        ({"gender_text": "Men"}, True),
        ({"colour_text": "neela"}, True),
        ({"pattern_text": "dhaari"}, True),
        ({"size_texts": ("M",)}, True),
        ({"size_system": "EU"}, True),
        ({}, False),
        ({"price": Money(amount_minor=1, currency="INR")}, False),
        ({"stock": 0, "available": False, "description": "New.", "image_urls": (BLUE,)}, False),
    ],
)
def test_texts_are_standardised_again_when_one_changed(
    change: dict[str, Any], expected: bool
) -> None:
    after = ALIVE.model_copy(update={"update": ALIVE.update.model_copy(update=change)})
    assert needs_restandardising(ALIVE, after) is expected


@pytest.mark.parametrize(
    ("kind", "update", "expected"),
    [
        ("patch", ProductUpdate(image_urls=(RED,)), True),
        ("patch", ProductUpdate(stock=1), False),
        ("upsert", ProductUpdate(image_urls=(RED,)), False),
        ("upsert", ProductUpdate(image_urls=(BLUE,)), True),
        ("patch", ProductUpdate(image_urls=(GREEN,)), True),
        ("delete", None, False),
    ],
)
def test_the_picture_is_fetched_for_new_urls_or_when_a_patch_names_it(
    kind: str, update: ProductUpdate | None, expected: bool
) -> None:
    urls = update.image_urls if update and update.image_urls else (RED,)
    after = ALIVE.model_copy(update={"update": ProductUpdate(image_urls=urls)})
    assert picture_may_have_changed(ALIVE, after, packet(kind, 6), update) is expected
