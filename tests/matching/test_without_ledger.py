"""Without a ledger the stream waits or stops; online looks are answered from the index alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from operators.budget import Budget
from operators.matching.calibration import Calibration, Logistic
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from operators.vocabulary.price_bucket import price_bucket
from schemas.attributes import Department
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost, LookSyncError, Unavailable, UnreadableEntry
from schemas.looks import ImageReference, LayerMatch, Look, LookMatches
from schemas.money import Money
from tests.doubles import (
    InMemoryCache,
    InMemoryLedger,
)
from tests.matching.painted import Facts, add_product

URL = "https://looks.example/1.jpg"
KNOWN = (Department.TOP, Department.BOTTOM, Department.DRESS, Department.FOOTWEAR)
CALIBRATION = Calibration(patch_scale=20, same_item=Logistic(bias=-18, weights={"region": 20}))
AWAY, LOST = Unavailable("away"), LedgerLost("emptied", reason="ledger-lost")


class BrokenLedger(InMemoryLedger):
    """Answers nothing but ``error``, when it has one."""

    error: LookSyncError | None = None

    async def read_many(
        self, keys: Sequence[str], on_unreadable: Callable[[UnreadableEntry], None]
    ) -> list[LedgerEntry | None]:
        if self.error is not None:
            raise self.error
        return await super().read_many(keys, on_unreadable)


@pytest.fixture
def ledger() -> BrokenLedger:
    return BrokenLedger()


@pytest.fixture
async def parts(empty_shop: MatchParts, ledger: BrokenLedger) -> MatchParts:
    """The index alone answers when the ledger is broken; one shirt can be ordered."""
    index = empty_shop.index
    shirt = "red top striped shirt white stripes"
    await add_product(index, ledger, "a:shirt", shirt, Facts(price=900, brand="Sundari"))
    stored = await index.get("a:shirt")
    assert stored is not None
    bucket = price_bucket(Money(amount_minor=900, currency="INR"))
    await index.patch("a:shirt", replace(stored.attributes, price_bucket=bucket))
    await add_product(index, ledger, "a:sold-out", shirt, Facts(stock=0))
    await add_product(index, ledger, "a:elsewhere", shirt, Facts(market="JP"))
    return replace(empty_shop, ledger=ledger, cache=InMemoryCache(), require_ledger=False)


async def match_in_india(parts: MatchParts, **preferences: object) -> LookMatches:
    look = Look.model_validate(
        {
            "look_id": "look-1",
            "market": "IN",
            "image": ImageReference(url=URL, data=None),
            "preferences": preferences,
        }
    )
    return await match_look(look, parts, Budget.of(30))


def shown(event: LookMatches) -> list[str]:
    top: LayerMatch = next(layer for layer in event.layers if layer.layer == Department.TOP)
    return [found.product.key for found in top.products]


@pytest.mark.parametrize("error", [AWAY, LOST])
async def test_a_run_that_requires_the_ledger_raises(
    parts: MatchParts, ledger: BrokenLedger, error: LookSyncError
) -> None:
    ledger.error = error
    with pytest.raises(type(error)):
        await match_in_india(replace(parts, require_ledger=True))


@pytest.mark.parametrize(
    ("error", "output"), [(AWAY, "ledger:unavailable"), (LOST, "ledger:ledger-lost")]
)
async def test_online_the_index_alone_decides_and_the_event_reports_it(
    parts: MatchParts, ledger: BrokenLedger, error: LookSyncError, output: str
) -> None:
    ledger.error = error
    event = await match_in_india(parts)
    assert event.degraded == (output,)
    assert shown(event) == ["a:shirt"]  # not what is sold out, nor what another market sells
    (product,) = [found.product for layer in event.layers for found in layer.products]
    assert (product.update.price, product.update.title) == (None, "")
    assert product.attributes.department is not None
    assert product.attributes.department.value == "top"


@pytest.mark.parametrize("require_ledger", [True, False])
async def test_without_one_products_entry_the_look_is_matched_with_the_others(
    parts: MatchParts, ledger: BrokenLedger, require_ledger: bool
) -> None:
    parts = replace(parts, require_ledger=require_ledger)
    await add_product(parts.index, ledger, "a:twin", "red top striped shirt white stripes")
    whole = await match_in_india(parts)
    assert (shown(whole), whole.degraded) == (["a:shirt"], ())
    ledger.entries["a:shirt"] = '{"key":"a:shirt"'
    event = await match_in_india(parts)
    assert (shown(event), event.degraded) == (["a:twin"], ("ledger:ledger-unreadable",))
    assert not (await match_in_india(parts)).cached


async def test_an_unknown_price_satisfies_no_price_preference(
    parts: MatchParts, ledger: BrokenLedger
) -> None:
    cheap = {"max_price": {"amount_minor": 1000, "currency": "INR"}}
    assert shown(await match_in_india(parts, **cheap)) == ["a:shirt"]
    ledger.error = AWAY
    assert shown(await match_in_india(parts, **cheap)) == []


async def test_other_preferences_are_still_applied(parts: MatchParts, ledger: BrokenLedger) -> None:
    ledger.error = AWAY
    assert shown(await match_in_india(parts, brands=["sundari"], sizes={"top": ["ALPHA:M"]})) == [
        "a:shirt"
    ]
    assert shown(await match_in_india(parts, excluded_brands=["Sundari"])) == []
    assert shown(await match_in_india(parts, sizes={"top": ["ALPHA:XL"]})) == []


async def test_a_degraded_result_is_not_cached_and_a_cached_one_not_served_unchecked(
    parts: MatchParts, ledger: BrokenLedger
) -> None:
    ledger.error = AWAY
    assert not (await match_in_india(parts)).cached
    ledger.error = None
    whole = await match_in_india(parts)
    assert (whole.cached, whole.degraded) == (False, ())
    assert (await match_in_india(parts)).cached
    ledger.error = LOST
    again = await match_in_india(parts)
    assert (again.cached, again.degraded) == (False, ("ledger:ledger-lost",))
