"""A commit lists exactly what is not handled yet, by whom, and of which topic."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from operators.streaming.kafka.progress import MOST_PENDING, Commit, Progress, TopicIdentity
from operators.streaming.kafka.suspects import NO_SUSPECTS, Suspects

IDENTITY = TopicIdentity("mZ8W9kfZTW6brazO87vOGw", "BKgoYE9NTUWWZrDfX5jF4A")
BROKERS_ACCEPT = 4096


@given(
    position=st.integers(0, 2**60),
    behind=st.sets(st.integers(1, 700), max_size=60),
    ended=st.booleans(),
    identity=st.sampled_from([None, IDENTITY]),
    reserved=st.sampled_from(["", "a job"]),
    suspects=st.one_of(
        st.just(NO_SUSPECTS),
        st.builds(Suspects, st.integers(1, 9), st.integers(0, 2**60)),
        st.builds(Suspects, st.integers(1, 9), *[st.integers(0, 2**60)] * 2, st.integers(1, 9)),
    ),
)
def test_a_commit_is_read_back_as_it_was_written(
    position: int,
    behind: set[int],
    ended: bool,
    identity: TopicIdentity | None,
    reserved: str,
    suspects: Suspects,
) -> None:
    pending = tuple(sorted(position + 700 - b for b in behind))
    progress = Progress(position + 700, pending)
    commit = Commit(progress, "owner", 7, ended, identity, reserved, suspects)

    read = Commit.parse(commit.progress.committed, commit.metadata())

    assert read == commit


@given(apart=st.integers(1, 25_000), first=st.integers(0, 2**60))
def test_the_most_that_may_be_pending_fits(apart: int, first: int) -> None:
    pending = range(first, first + MOST_PENDING * apart, apart)
    progress = Progress(pending[-1] + 1, tuple(pending))

    metadata = Commit(
        progress,
        "o" * 120,
        10**9,
        ended=False,
        identity=IDENTITY,
        suspects=Suspects(10**6, first + 10**7, first + 10**7, 10**6),
    ).metadata()

    assert len(metadata) <= BROKERS_ACCEPT
    assert Commit.parse(first, metadata).progress == progress


@given(st.one_of(st.none(), st.text(), st.sampled_from(["{}", "[]", "1", '{"owner": 1}'])))
def test_metadata_of_another_tool_is_ignored(metadata: str | None) -> None:
    assert Commit.parse(42, metadata) == Commit(Progress(42), owner="", transaction=0, ended=True)


def test_a_commit_of_an_older_version_keeps_its_pending_offsets() -> None:
    metadata = '{"store": "4f0c", "beat": 3, "ended": true, "position": 9, "pending": "0-1,4"}'
    assert Commit.parse(100, metadata) == Commit(Progress(109, (100, 101, 104)), "", 3)


def test_consecutive_pending_offsets_are_one_range() -> None:
    metadata = Commit(Progress(5000, tuple(range(100, 5000))), "owner", 1).metadata()
    assert len(metadata) < 120


def test_offsets_in_metadata_are_relative_to_the_committed_one() -> None:
    commit = Commit(Progress(612, (100, 101, 102, 103, 117)), "flow.host-0", 1021, False, IDENTITY)
    assert json.loads(commit.metadata()) == {
        "owner": "flow.host-0",
        "transaction": 1021,
        "ended": False,
        "cluster": IDENTITY.cluster,
        "topic": IDENTITY.topic,
        "position": 512,
        "pending": "0-3,17",
    }
