"""Which records are in flight: emitted as the gate allows, pending until they are committed."""

from __future__ import annotations

import pytest

from operators.streaming.engine.gate import Gate
from operators.streaming.kafka import inputs as kafka_inputs
from operators.streaming.kafka.inputs import READ_AHEAD_BYTES, READ_AHEAD_RECORDS, Inputs
from operators.streaming.kafka.progress import MOST_PENDING, Progress
from operators.streaming.kafka.rules import ReadState
from schemas.records import Position, Record


def record(offset: int, partition: int = 0, value: bytes = b"v") -> Record:
    return Record("key", value, {}, Position("in", partition, offset))


def offsets(records: list[Record]) -> list[tuple[int, int]]:
    places = [r.position for r in records if r.position is not None]
    return [(place.partition, place.offset) for place in places]


@pytest.fixture
def gate() -> Gate:
    return Gate(6, capacity_bytes=100)


@pytest.fixture
def inputs(gate: Gate) -> Inputs:
    """With partition 0 assigned from its beginning, and two steps that write outputs."""
    inputs = Inputs(gate)
    inputs.add_step()
    inputs.add_step()
    inputs.assign(0, ReadState(0, 0))
    inputs.committed([], [0])
    return inputs


def read(inputs: Inputs, *offsets: int) -> list[Record]:
    for offset in offsets:
        inputs.append(0, record(offset))
    return inputs.take()


def handle(inputs: Inputs, source: Record) -> None:
    inputs.start(source)
    inputs.pass_on(source, "out", Record("key", b"made"))
    inputs.pass_on(source, "letters", None)


def progress(inputs: Inputs) -> Progress:
    return inputs.prepare()[1][0]


def test_nothing_is_emitted_before_a_commit_claims_the_partition(gate: Gate) -> None:
    inputs = Inputs(gate)
    inputs.assign(0, ReadState(0, 0))
    assert read(inputs, 0) == []

    inputs.committed([], [0])
    assert offsets(inputs.take()) == [(0, 0)]


def test_no_more_is_emitted_than_the_gate_has_room_for(inputs: Inputs, gate: Gate) -> None:
    assert offsets(read(inputs, *range(10))) == [(0, n) for n in range(6)]
    assert gate.room == 0
    assert inputs.take() == []
    gate.leave(2, 2)
    assert offsets(inputs.take()) == [(0, 6), (0, 7)]


def test_nothing_is_emitted_after_the_record_that_exceeds_the_gates_bytes(
    inputs: Inputs, gate: Gate
) -> None:
    for offset in range(4):
        inputs.append(0, record(offset, value=b"x" * 60))
    assert offsets(inputs.take()) == [(0, 0), (0, 1)]
    assert gate.room == 0
    gate.leave(1, 60)
    assert offsets(inputs.take()) == [(0, 2)]


def test_partitions_take_turns(inputs: Inputs, gate: Gate) -> None:
    inputs.assign(1, ReadState(0, 0))
    inputs.committed([], [1])
    for offset in range(10):
        inputs.append(0, record(offset))
        inputs.append(1, record(offset, 1))
    first = {partition for partition, _ in offsets(inputs.take())}
    gate.leave(6, 6)
    second = {partition for partition, _ in offsets(inputs.take())}
    assert first | second == {0, 1}


def test_what_the_previous_owner_handled_is_left_out(inputs: Inputs) -> None:
    inputs.assign(0, ReadState(2, 8, frozenset({3, 5})))
    inputs.committed([], [0])
    assert offsets(read(inputs, *range(2, 10))) == [(0, 3), (0, 5), (0, 8), (0, 9)]


def test_a_record_is_pending_until_its_outputs_are_committed(inputs: Inputs) -> None:
    first, second, third = read(inputs, 0, 1, 2)
    handle(inputs, second)

    waiting, before = inputs.prepare()
    assert [held.record for held in waiting] == [second]
    assert waiting[0].outputs == [("out", Record("key", b"made"))]
    assert before[0] == Progress(3, (0, 2)), "as of the transaction that writes them"
    assert progress(inputs) == before[0], "an aborted transaction is prepared again"

    inputs.committed(waiting, [])
    assert inputs.prepare() == ([], before)
    handle(inputs, first)
    handle(inputs, third)
    assert progress(inputs) == Progress(3)


def test_a_record_is_handled_when_every_step_has_seen_its_outcome(inputs: Inputs) -> None:
    (only,) = read(inputs, 0)
    inputs.pass_on(only, "out", None)
    assert inputs.handled == 0
    inputs.pass_on(only, "letters", None)
    assert inputs.handled == 1
    assert progress(inputs) == Progress(1)


def test_markers_at_the_end_count_as_handled(inputs: Inputs) -> None:
    (only,) = read(inputs, 0)
    inputs.append(0, 3)
    inputs.take()
    assert inputs.offsets() == {0: 3}
    handle(inputs, only)
    assert progress(inputs) == Progress(3)


def test_a_partition_that_closes_emits_and_starts_nothing(inputs: Inputs) -> None:
    first, second = read(inputs, 0, 1)
    assert inputs.start(first)
    inputs.append(0, record(2))

    inputs.close([0])

    assert inputs.take() == []
    assert not inputs.start(second)
    assert inputs.busy([0])
    handle(inputs, first)
    waiting, left = inputs.prepare()
    assert left[0] == Progress(2, (1,)), "2 was read, but not emitted"
    inputs.committed(waiting, [])
    assert not inputs.busy([0])


def test_calls_are_given_up_on_request(inputs: Inputs) -> None:
    first, _ = read(inputs, 0, 1)
    inputs.start(first)
    inputs.close([0])
    assert not inputs.given_up(first)
    inputs.give_up([0])
    assert inputs.given_up(first)
    inputs.withdrawn(first)
    assert not inputs.busy([0])
    assert progress(inputs) == Progress(2, (0, 1))


def test_outcomes_of_a_partition_that_was_released_are_dropped(inputs: Inputs) -> None:
    (only,) = read(inputs, 0)
    inputs.start(only)
    inputs.release([0])
    assert inputs.given_up(only)
    handle(inputs, only)
    assert inputs.prepare() == ([], {})


def test_outcomes_from_before_a_partition_came_back_are_dropped(inputs: Inputs) -> None:
    (old,) = read(inputs, 0)
    inputs.release([0])
    inputs.assign(0, ReadState(0, 0))
    inputs.committed([], [0])
    (new,) = read(inputs, 0)

    assert not inputs.start(old)
    handle(inputs, old)
    assert inputs.handled == 0
    handle(inputs, new)
    assert [held.record for held in inputs.prepare()[0]] == [new]


def test_what_was_handled_before_a_release_is_not_written(inputs: Inputs) -> None:
    (only,) = read(inputs, 0)
    handle(inputs, only)
    inputs.release([0])
    assert inputs.prepare() == ([], {})


def test_no_more_is_in_flight_than_a_commit_can_list() -> None:
    inputs = Inputs(Gate(10 * MOST_PENDING))
    inputs.add_step()
    inputs.assign(0, ReadState(0, 0))
    inputs.committed([], [0])
    taken = read(inputs, *range(2 * MOST_PENDING))
    assert len(taken) == MOST_PENDING
    inputs.pass_on(taken[7], "out", None)
    assert len(inputs.take()) == 1, "what only waits for its transaction is not listed"


def test_the_read_ahead_is_bounded_in_records_and_bytes(inputs: Inputs) -> None:
    for offset in range(READ_AHEAD_RECORDS):
        assert not inputs.read_enough
        inputs.append(0, record(offset))
    assert inputs.read_enough
    inputs.close([0])
    assert inputs.wants_more

    inputs.assign(0, ReadState(0, 0))
    inputs.committed([], [0])
    inputs.append(0, record(0, value=bytes(READ_AHEAD_BYTES)))
    assert inputs.read_enough
    inputs.release([0])
    assert inputs.wants_more
    assert not inputs.read_enough


def test_what_is_read_of_a_partition_that_is_not_assigned_is_dropped(inputs: Inputs) -> None:
    inputs.append(7, record(0, 7))
    assert inputs.take() == []


def test_nothing_is_emitted_while_large_records_wait_for_their_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when Kafka gives records and takes none: what has been handled is in memory, too."""
    monkeypatch.setattr(kafka_inputs, "MOST_HANDLED_BYTES", 1000)
    gate = Gate(64)
    inputs = Inputs(gate)
    inputs.add_step()
    inputs.assign(0, ReadState(0, 0))
    inputs.committed([], [0])
    for offset in range(100):
        inputs.append(0, record(offset, value=b"x" * 100))
    emitted = []
    while taken := inputs.take():
        emitted += taken
        for source in taken:
            inputs.start(source)
            inputs.pass_on(source, "letters", None)
            gate.leave(1, 100)
    assert len(emitted) == 64, "the gate's; then the bytes are used up"

    waiting, _ = inputs.prepare()
    inputs.committed(waiting, [])
    assert len(inputs.take()) == 36
