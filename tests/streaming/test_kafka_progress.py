"""A commit tells exactly what is not handled yet, or says that it cannot."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.streaming.kafka.progress import LONGEST, Commit, Progress


@given(
    position=st.integers(0, 2**60),
    behind=st.sets(st.integers(1, 700), max_size=60),
    ended=st.booleans(),
)
def test_a_commit_is_read_back_as_it_was_written(
    position: int, behind: set[int], ended: bool
) -> None:
    pending = tuple(sorted(position + 700 - b for b in behind))
    commit = Commit(Progress(position + 700, pending), "store", 7, ended)

    read = Commit.parse(commit.progress.committed, commit.metadata())

    assert read == commit


@given(st.integers(2, 40), st.integers(0, 2**60))
def test_what_is_too_scattered_to_be_told_is_all_pending(apart: int, first: int) -> None:
    """Whoever goes on from there must not skip anything, and is told that it was no order."""
    pending = range(first, first + 2000 * apart, apart)
    progress = Progress(first + 100_000, tuple(pending))

    metadata = Commit(progress, "store", 1, ended=True).metadata()
    read = Commit.parse(progress.committed, metadata)

    assert len(metadata) <= LONGEST
    assert read.progress == Progress(min(pending))
    assert not read.ended


@given(st.one_of(st.none(), st.text(), st.sampled_from(["{}", "[]", "1", '{"store": 1}'])))
def test_of_another_tools_commit_only_the_offset_counts(metadata: str | None) -> None:
    assert Commit.parse(42, metadata) == Commit(Progress(42))


def test_a_run_of_pending_offsets_takes_no_more_room_than_one() -> None:
    metadata = Commit(Progress(5000, tuple(range(100, 5000))), "store", 1).metadata()
    assert len(metadata) < 120
