"""What a bulk job makes of rows, and that a kill at any moment loses nothing."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.catalog.apply import apply_packet
from operators.catalog.decide import change_of
from schemas.catalog import Decision, Packet, ProductChange
from tests.catalog.small_shop import BLUE, Shop, item, packet
from tests.catalog.test_replay_property import histories
from tests.doubles import plain_picture
from tests.jobs.killable_job import EFFECTS, KillableJob, rejected, row, skipped

HISTORY = {"last_position", "last_decision", "changed_at"}
"""Fields about the packet that last changed an entry."""


def upsert(product_id: str, version: int = 1, **changes: Any) -> Packet:
    return packet("upsert", version, item(**changes), product_id=product_id)


async def state(shop: Shop) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ledger and index, without what depends on the moment or the order of packets."""
    ledger = {e.key: e.model_dump(exclude=HISTORY) async for e in shop.ledger.scan()}
    index = {key: (v.tobytes(), attributes) for key, (v, attributes) in shop.index.objects.items()}
    return ledger, index


async def test_rows_are_applied_published_and_counted(tmp_path: Path) -> None:
    future = packet("upsert", 2**63 - 1, item(), product_id="future")
    missing = upsert("waits", pictures=["file:///missing"])
    job = KillableJob(
        tmp_path / "job",
        [
            [row(upsert("1")), rejected("invalid-price"), row(future)],
            [row(missing), skipped(), row(upsert("2", pictures=[BLUE], stock=-3))],
        ],
    )
    done = await job.start()
    assert done is not None
    assert (done.finished, done.settled, done.tally.rows) == (True, True, 6)
    assert done.tally.skipped == 1
    assert done.tally.decisions == {"created": 2, "pending": 1}
    assert done.tally.pending == {"not-found": 1}
    assert done.tally.notes == {"stock: negative": 1}
    assert done.tally.refused == {"invalid-price": 1, "future-version": 1}
    assert done.tally.embeddings == 2
    assert sorted((c.key, c.decision) for c in job.published) == [
        ("shop:1", Decision.CREATED),
        ("shop:2", Decision.CREATED),
        ("shop:waits", Decision.PENDING),
    ]
    lines = (job.folder / "rejected.jsonl").read_text().splitlines()
    refused = [json.loads(line) for line in lines]
    assert {(r["file"], r["reason"]) for r in refused} == {
        ("0.jsonl", "invalid-price"),
        ("0.jsonl", "future-version"),
    }
    assert len(refused) == 2


async def test_a_product_in_two_shards_ends_as_its_newest_version(tmp_path: Path) -> None:
    older = [row(upsert("1", 1, price="Rs. 100")) for _ in range(5)]
    newer = [row(upsert("1", 2, price="Rs. 200")) for _ in range(5)]
    job = KillableJob(tmp_path / "job", [newer, older])
    done = await job.start()
    assert done is not None
    entry = await job.shop.ledger.read("shop:1")
    assert entry is not None
    assert entry.update.price is not None
    assert (entry.version, entry.update.price.amount_minor) == (2, 200_00)
    assert done.tally.embeddings == 1
    assert job.published[-1].version == 2


async def test_a_finished_job_begins_anew(tmp_path: Path) -> None:
    job = KillableJob(tmp_path / "job", [[row(upsert("1"))]])
    first, second = await job.start(), await job.start()
    assert first is not None
    assert second is not None
    assert first.run != second.run
    assert second.tally.decisions == {"stale": 1}


@pytest.mark.parametrize(
    ("effect", "number"),
    [
        ("index.upsert", 1),
        ("index.upsert", 9),
        ("ledger.write", 1),
        ("ledger.write", 9),
        ("publish", 1),
    ],
)
async def test_a_kill_loses_nothing_and_embeds_at_most_what_was_in_flight_again(
    tmp_path: Path, effect: str, number: int
) -> None:
    rows = [upsert(str(n), pictures=[f"file:///{n}"]) for n in range(20)]
    job = KillableJob(tmp_path / "job", [list(map(row, rows[:12])), list(map(row, rows[12:]))])
    for n in range(20):
        job.shop.pictures.by_url[f"file:///{n}"] = plain_picture((n, 0, 0))
    assert await job.start(kill_after=(effect, number)) is None
    done_before = {json.loads(text)["key"] for text in job.shop.ledger.entries.values()}
    embedded_before = len(job.shop.encoder.images)
    job.shop.encoder.images.clear()
    done = await job.start()

    assert done is not None
    assert (done.finished, done.settled, done.tally.rows) == (True, True, 20)
    assert set(job.shop.index.objects) == {f"shop:{n}" for n in range(20)}
    assert {change.key for change in job.published} == set(job.shop.index.objects)
    assert len(job.shop.encoder.images) == 20 - len(done_before)
    assert embedded_before >= len(done_before)
    events = {change.event_id for change in job.published}
    assert len(events) == 20, "a repeated event has the same id"


@pytest.mark.parametrize("kill", [("ledger.write", 1), ("ledger.write", 6), ("publish", 1)])
async def test_refused_rows_are_stored_once_after_a_kill(
    tmp_path: Path, kill: tuple[str, int]
) -> None:
    rows = [r for n in range(8) for r in (row(upsert(str(n))), rejected(f"r{n}"))]
    job = KillableJob(tmp_path / "job", [rows])
    assert await job.start(kill_after=kill) is None
    done = await job.start()
    assert done is not None
    lines = (job.folder / "rejected.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["reason"] for line in lines) == [f"r{n}" for n in range(8)]
    assert (done.tally.rows, done.tally.refused.total()) == (16, 8)


@dataclass(frozen=True)
class Split:
    """One history, applied in part by the flow and in part by a job.

    One, because kind and version identify a packet of a product: two histories contradict each
    other.
    """

    before: list[Packet]
    shards: list[list[Packet]]
    after: list[Packet]

    @property
    def packets(self) -> list[Packet]:
        return [*self.before, *(p for shard in self.shards for p in shard), *self.after]


@st.composite
def split_histories(draw: st.DrawFn) -> Split:
    history = draw(histories())
    parts = draw(st.lists(st.integers(0, 4), min_size=len(history), max_size=len(history)))
    before, *shards, after = (
        [one for one, part in zip(history, parts, strict=True) if part == number]
        for number in range(5)
    )
    return Split(before, shards, after)


KILLS = st.lists(
    st.tuples(st.sampled_from([None, *EFFECTS]), st.integers(1, 12)), min_size=1, max_size=3
)


@settings(max_examples=60)
@given(split=split_histories(), kills=KILLS)
async def test_flow_then_killed_job_then_flow_end_as_all_packets_in_order(
    split: Split, kills: list[tuple[str | None, int]]
) -> None:
    """Job and flow never run at the same time; versions alone decide."""
    with tempfile.TemporaryDirectory() as folder:
        job = KillableJob(Path(folder) / "job", [list(map(row, shard)) for shard in split.shards])
        await apply_all(split.before, "before", job.shop)
        for kill in kills:
            if await job.start(kill_after=kill) is not None:
                break
        else:
            assert await job.start() is not None
        for key in job.shop.ledger.entries:
            await assert_last_change_is_published(job, key)
        await apply_all(split.after, "after", job.shop)

    reference = Shop()
    await apply_all(split.packets, "reference", reference)
    ledger, index = await state(job.shop)
    expected_ledger, expected_index = await state(reference)
    assert ledger == expected_ledger
    assert index == expected_index


async def apply_all(packets: list[Packet], topic: str, shop: Shop) -> None:
    for offset, one in enumerate(packets):
        await apply_packet(one, f"{topic}/0/{offset}", shop.parts())


async def assert_last_change_is_published(job: KillableJob, key: str) -> None:
    """Consumers know the state in the ledger, if the job made it."""
    entry = await job.shop.ledger.read(key)
    assert entry is not None
    if entry.last_position is not None and entry.last_position.startswith("bulk-index."):
        last = [change for change in job.published if change.key == key][-1]
        assert content(last) == content(change_of(entry))


def content(change: ProductChange) -> dict[str, Any]:
    """What consumers use; a newer version that says the same is not published."""
    product = change.product
    return {} if product is None else product.model_dump(exclude={"version"})
