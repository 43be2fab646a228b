"""The contract of every Ledger. A subclass provides the fixture ``open_ledger``.

``open_ledger()`` opens the one ledger of the test; opened again, it holds what was written before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.ports import BatchLedger
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import Decision, LedgerEntry, ProductUpdate
from schemas.errors import UnreadableEntry
from schemas.money import Money

FULL = LedgerEntry(
    key="kisetsu:商品:1",
    version=2**63 - 1,
    deleted_version=3,
    patched={"price": 2**62, "stock": 7},
    update=ProductUpdate(
        title="ネイビー T シャツ",
        description="x" * 2000,
        brand="Kisetsu",
        size_texts=("M", "25.5cm"),
        image_urls=("https://example.com/写真.jpg",),
        price=Money(amount_minor=10**15, currency="JPY"),
        stock=0,
        available=False,
        market="JP",
    ),
    attributes=StandardAttributes(
        department=Attribute(value="top", source="vendor"),
        colour=Attribute(value="navy", source="model", confidence=0.8125),
        sizes=("ALPHA:M",),
        google_category_id=212,
    ),
    image_url="https://example.com/写真.jpg",
    image_hash="00ff",
    attributes_hash="ab",
    model="encoder-a",
    indexed=True,
    last_position="catalog.updates/1/123456789",
    last_decision=Decision.REEMBEDDED,
    changed_at=datetime(2026, 11, 24, 3, 4, 5, 678901, tzinfo=UTC),
)

entries = st.builds(
    LedgerEntry,
    key=st.sampled_from([f"zari:{number}" for number in range(8)]),
    version=st.none() | st.integers(0, 2**63 - 1),
    deleted_version=st.none() | st.integers(0, 2**63 - 1),
    version_unknown=st.booleans(),
    update=st.builds(
        ProductUpdate,
        title=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        brand=st.none() | st.just("Zari"),
        stock=st.none() | st.integers(0, 10**9),
        available=st.booleans(),
    ),
    image_hash=st.none() | st.just("00ff"),
    indexed=st.booleans(),
    last_decision=st.none() | st.sampled_from(Decision),
)


OpenLedger = Callable[[], Awaitable[BatchLedger]]


def refuse(error: UnreadableEntry) -> None:
    """For ``read_many``: no entry of the test is unreadable."""
    raise error


class LedgerContract:
    @pytest.fixture
    async def ledger(self, open_ledger: OpenLedger) -> BatchLedger:
        return await open_ledger()

    async def test_every_field_is_stored(self, ledger: BatchLedger) -> None:
        await ledger.write(FULL)
        assert await ledger.read(FULL.key) == FULL

    async def test_a_missing_entry_is_none(self, ledger: BatchLedger) -> None:
        assert await ledger.read("zari:1") is None

    async def test_a_second_write_replaces_the_first(self, ledger: BatchLedger) -> None:
        await ledger.write(LedgerEntry(key="zari:1", version=1, image_hash="00"))
        await ledger.write(LedgerEntry(key="zari:1", version=2))
        assert await ledger.read("zari:1") == LedgerEntry(key="zari:1", version=2)

    async def test_read_many_keeps_the_order_of_its_keys(self, ledger: BatchLedger) -> None:
        for number in (1, 2, 3):
            await ledger.write(LedgerEntry(key=f"zari:{number}", version=number))
        asked = ["zari:3", "zari:none", "zari:1", "zari:3"]
        answers = await ledger.read_many(asked, refuse)
        assert [answer and answer.version for answer in answers] == [3, None, 1, 3]
        assert await ledger.read_many([], refuse) == []

    async def test_entries_are_written_and_read_in_one_step(self, ledger: BatchLedger) -> None:
        await ledger.write(LedgerEntry(key="zari:1", version=1, image_hash="00"))
        await ledger.write_many([LedgerEntry(key="zari:1", version=2), FULL])
        known = await ledger.read_known(["zari:none", FULL.key, "zari:1"])
        assert known == {FULL.key: FULL, "zari:1": LedgerEntry(key="zari:1", version=2)}

    async def test_scan_returns_every_entry(self, ledger: BatchLedger) -> None:
        count = 1_200  # more than any page of a scan
        written = {f"zari:*?[{number}]": number for number in range(count)}
        await asyncio.gather(
            *(ledger.write(LedgerEntry(key=key, version=v)) for key, v in written.items())
        )
        assert {entry.key: entry.version async for entry in ledger.scan()} == written

    async def test_a_scan_can_be_of_one_vendor(self, ledger: BatchLedger) -> None:
        for key in ("zari:1", "zari:2", "zari-two:1", "kisetsu:zari:1"):
            await ledger.write(LedgerEntry(key=key, version=1))
        assert {entry.key async for entry in ledger.scan("zari:")} == {"zari:1", "zari:2"}

    async def test_a_scan_of_an_empty_ledger_is_empty(self, ledger: BatchLedger) -> None:
        assert [entry async for entry in ledger.scan()] == []

    async def test_concurrent_calls_get_their_own_entries(self, ledger: BatchLedger) -> None:
        async def live(number: int) -> None:
            key = f"zari:{number}"
            assert await ledger.read(key) is None
            for version in (1, 2, 3):
                await ledger.write(LedgerEntry(key=key, version=version, image_hash=str(number)))
                read = await ledger.read(key)
                assert read is not None
                assert (read.version, read.image_hash) == (version, str(number))

        await asyncio.gather(*(live(number) for number in range(80)))

    async def test_acknowledged_writes_survive_reopening(self, open_ledger: OpenLedger) -> None:
        ledger = await open_ledger()
        await ledger.write(FULL)
        await ledger.close()
        assert await (await open_ledger()).read(FULL.key) == FULL

    @settings(
        max_examples=40,
        deadline=None,
        # The examples share one ledger; each reads only what it wrote.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(writes=st.lists(entries, max_size=20))
    async def test_reads_return_the_last_write_of_each_key(
        self, ledger: BatchLedger, writes: list[LedgerEntry]
    ) -> None:
        for entry in writes:
            await ledger.write(entry)
        for key, last in {entry.key: entry for entry in writes}.items():
            assert await ledger.read(key) == last
