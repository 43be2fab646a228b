"""A source rests when all its partitions have nothing, by the monotonic clock alone."""

from __future__ import annotations

from operators.streaming.engine.gate import Gate
from operators.streaming.engine.pace import BUSY_SECONDS, IDLE_SECONDS, QUIET_ROUNDS, Pace


def pace(gate: Gate, partitions: int) -> tuple[Pace, list[float]]:
    slept: list[float] = []
    made = Pace(gate, slept.append)
    for _ in range(partitions):
        made.opened()
    return made, slept


def test_it_sleeps_once_per_round_without_records() -> None:
    made, slept = pace(Gate(10), partitions=3)
    for _ in range(3 * 4):
        made.emitted(0)
    assert slept == [BUSY_SECONDS] * 4


def test_one_partition_with_records_keeps_the_others_awake() -> None:
    made, slept = pace(Gate(10), partitions=3)
    for _ in range(5):
        for records in (0, 7, 0):
            made.emitted(records)
    assert slept == []


def test_a_partition_that_has_ended_is_not_waited_for() -> None:
    made, slept = pace(Gate(10), partitions=2)
    made.closed()
    made.emitted(0)
    assert slept == [BUSY_SECONDS]


def test_after_some_quiet_rounds_it_sleeps_longer_until_a_record_comes() -> None:
    made, slept = pace(Gate(10), partitions=1)
    for records in (*[0] * (QUIET_ROUNDS + 1), 1, 0):
        made.emitted(records)
    assert slept == [BUSY_SECONDS] * (QUIET_ROUNDS - 1) + [IDLE_SECONDS] * 2 + [BUSY_SECONDS]


def test_with_calls_in_flight_it_stays_quick() -> None:
    gate = Gate(10)
    gate.enter(1)
    made, slept = pace(gate, partitions=1)
    for _ in range(3 * QUIET_ROUNDS):
        made.emitted(0)
    assert set(slept) == {BUSY_SECONDS}
