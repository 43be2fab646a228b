"""The gate limits the records between sources and lanes."""

from __future__ import annotations

from operators.streaming.engine.gate import Gate


def test_the_room_is_what_the_capacity_leaves() -> None:
    gate = Gate(5)
    assert gate.room == 5

    gate.enter(3)
    assert (gate.inside, gate.room) == (3, 2)

    gate.enter(4)
    assert (gate.inside, gate.room) == (7, 0), "recovered items may exceed the capacity"

    gate.leave(6)
    assert (gate.inside, gate.room) == (1, 4)
