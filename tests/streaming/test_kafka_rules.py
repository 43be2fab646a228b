"""What is read and what is committed, without Kafka."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operators.streaming.kafka.progress import Progress
from operators.streaming.kafka.rules import ReadState

offsets = st.integers(0, 60)


@given(offset=offsets, reached=offsets, unhandled=st.sets(offsets), in_flight=st.sets(offsets))
def test_progress_covers_exactly_what_was_handled(
    offset: int, reached: int, unhandled: set[int], in_flight: set[int]
) -> None:
    state = ReadState(offset, reached, frozenset(unhandled))

    progress = state.progress(in_flight)

    def handled(at: int) -> bool:
        already_emitted = at < offset
        before = at < reached and at not in unhandled
        return at not in in_flight and (already_emitted or before)

    assert progress.position == max(offset, reached)
    assert list(progress.pending) == sorted(set(progress.pending))
    assert all(held < progress.position for held in progress.pending)
    for at in range(progress.position):
        assert (at not in progress.pending) == handled(at)


@given(position=offsets, pending=st.sets(offsets), at=st.integers(0, 70))
def test_the_next_owner_handles_what_the_last_one_left(
    position: int, pending: set[int], at: int
) -> None:
    left = Progress(position, tuple(sorted(held for held in pending if held < position)))

    state = ReadState.after_owner(left)

    assert state.offset == left.committed
    emitted = at >= state.offset and state.emits(at)
    assert emitted == (at >= position or at in left.pending)
    assert state.progress(()) == left


@given(offset=offsets, reached=offsets, unhandled=st.sets(offsets), first=offsets)
def test_a_skipped_gap_leaves_what_is_after_it(
    offset: int, reached: int, unhandled: set[int], first: int
) -> None:
    before = ReadState(offset, reached, frozenset(unhandled))

    after = before.skip_gap(first)

    assert after.offset == first
    assert min(after.unhandled, default=first) >= first
    assert all(after.emits(at) == before.emits(at) for at in range(first, 70))
