"""The records of this process's partitions, from being read until their outputs are committed.

    thread of the group's member     engine's thread              event loop
      assign, append        ----->     take  ----->  lane  ----->   start
                                                       |
      prepare, committed    <-----     pass_on  <------+
      close, give_up, release                       ----->          given_up

A record is *in flight* from take until the transaction with its outputs is committed. A commit
therefore says exactly which records are handled, whatever the calls in flight have done.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection

from operators.streaming.engine.call_policy import TRIALS
from operators.streaming.engine.gate import Gate
from operators.streaming.kafka.partition import Input, Partition, place_of, size_of
from operators.streaming.kafka.progress import MOST_PENDING, Progress
from operators.streaming.kafka.rules import ReadState
from operators.streaming.kafka.suspects import NO_SUSPECTS, Suspects
from operators.streaming.kafka.trials import Trials
from schemas.errors import KilledProcess
from schemas.records import Record

BATCH = 512
"""Most records emitted at once."""
READ_AHEAD_RECORDS = 10_000
READ_AHEAD_BYTES = 16 * 2**20
"""What is read before it can be emitted: enough for the engine while a transaction commits."""
MOST_HANDLED = 10_000
MOST_HANDLED_BYTES = 64 * 2**20
"""Records and outputs that may wait for their transaction before the engine has to wait."""


class Inputs:
    """Which records are in flight. Thread-safe."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._steps = 0
        self._lock = threading.Lock()
        self._partitions: dict[int, Partition] = {}
        self._handled: list[Input] = []
        """In the order in which they were handled."""
        self._handled_bytes = 0
        self._read_records = 0
        self._read_bytes = 0
        self._trials = Trials()

    # The group's member

    @property
    def assigned(self) -> list[int]:
        with self._lock:
            return sorted(self._partitions)

    @property
    def read_enough(self) -> bool:
        """Whether the read-ahead is full."""
        return self._read_records >= READ_AHEAD_RECORDS or self._read_bytes >= READ_AHEAD_BYTES

    @property
    def wants_more(self) -> bool:
        """Whether less than half of the read-ahead is left."""
        return (
            self._read_records < READ_AHEAD_RECORDS // 2
            and self._read_bytes < READ_AHEAD_BYTES // 2
        )

    def assign(self, partition: int, start: ReadState, suspects: Suspects = NO_SUSPECTS) -> None:
        """Read ``partition`` from ``start``; its records are emitted once a commit claims it."""
        with self._lock:
            self._partitions[partition] = Partition.after(start, suspects)

    def append(self, partition: int, read: Record | int) -> None:
        """Add what was read; a number says that there is no record before that offset."""
        with self._lock:
            if (assigned := self._partitions.get(partition)) is not None and not assigned.closing:
                assigned.read_ahead.append(read)
                self._read_records += 1
                self._read_bytes += size_of(read)

    def close(self, partitions: Collection[int]) -> None:
        """Emit and start no more records of ``partitions``."""
        with self._lock:
            for partition in self._known(partitions):
                partition.closing = True
                self._forget_read_ahead(partition)

    def busy(self, partitions: Collection[int]) -> bool:
        """Whether a call of ``partitions`` has started whose outcome is not committed."""
        with self._lock:
            return any(
                held.started
                for partition in self._known(partitions)
                for held in partition.in_flight.values()
            )

    def give_up(self, partitions: Collection[int]) -> None:
        """Mark the calls of ``partitions`` as to be cancelled."""
        with self._lock:
            for partition in self._known(partitions):
                partition.closing = partition.given_up = True

    def release(self, partitions: Collection[int]) -> None:
        """Forget ``partitions``: outcomes of their records are dropped from now on."""
        with self._lock:
            for number in partitions:
                if (partition := self._partitions.pop(number, None)) is not None:
                    self._forget_read_ahead(partition)
                    self._trials.end(partition)

    @property
    def needs_commit(self) -> bool:
        """Whether a record may only be emitted once the present progress is committed."""
        with self._lock:
            return any(p.claimed and not p.may_emit for p in self._partitions.values())

    def prepare(self) -> tuple[list[Input], dict[int, Progress]]:
        """The inputs whose outputs the next transaction is to write, and the progress with them."""
        with self._lock:
            self._handled = [held for held in self._handled if self._holds(held)]
            self._handled_bytes = sum(held.size for held in self._handled)
            handled: defaultdict[int, set[int]] = defaultdict(set)
            for held in self._handled:
                number, offset = place_of(held.record)
                handled[number].add(offset)
            self._trials.choose(self._partitions.values())
            prepared = {}
            for number, partition in self._partitions.items():
                progress = partition.state.progress(partition.in_flight.keys() - handled[number])
                partition.prepared = progress.position
                partition.suspects = partition.suspects.after(progress.position, progress.pending)
                prepared[number] = progress
            return list(self._handled), prepared

    def suspects(self, partition: int, *, ended: bool) -> Suspects:
        """To be committed with the progress that was prepared last."""
        suspects = self._partitions[partition].suspects
        return suspects.released() if ended else suspects

    def committed(self, inputs: Collection[Input], partitions: Collection[int]) -> None:
        """The transaction with the outputs of ``inputs`` and the progress of ``partitions`` is
        committed."""
        with self._lock:
            for partition in self._known(partitions):
                partition.claimed = True
                partition.committed = partition.prepared
                partition.announced = partition.trial is not None
            for held in inputs:
                if self._holds(held):
                    number, offset = place_of(held.record)
                    del self._partitions[number].in_flight[offset]
                    self._partitions[number].handled -= 1
            done = set(map(id, inputs))
            self._handled = [held for held in self._handled if id(held) not in done]
            self._handled_bytes = sum(held.size for held in self._handled)

    @property
    def handled(self) -> int:
        """How many inputs wait for their transaction."""
        return len(self._handled)

    @property
    def in_flight(self) -> int:
        with self._lock:
            return sum(len(partition.in_flight) for partition in self._partitions.values())

    def offsets(self) -> dict[int, int]:
        """Per partition, the offset of the next record to be emitted."""
        with self._lock:
            return {n: partition.state.offset for n, partition in self._partitions.items()}

    # The engine

    def add_step(self) -> None:
        """Note that one more step of the flow writes outputs."""
        self._steps += 1

    def take(self) -> list[Record]:
        """Records to be handled, as many as the gate has room for."""
        taken: list[Record] = []
        room, room_bytes = min(BATCH, self.gate.room), self.gate.room_bytes
        if not room or not self._read_records or self.handled_enough:
            return taken
        size = 0
        with self._lock:
            for number in list(self._partitions):
                partition = self._partitions[number]
                while (
                    partition.claimed
                    and partition.read_ahead
                    and len(taken) < room
                    and size < room_bytes
                    and partition.waiting < MOST_PENDING
                    and self._trials.may_emit(partition)
                ):
                    if (record := self._emit(partition)) is not None:
                        taken.append(record)
                        size += len(record.value)
                # Others come first the next time.
                self._partitions[number] = self._partitions.pop(number)
        self.gate.enter(len(taken), size)
        return taken

    def pass_on(self, source: Record, topic: str, output: Record | None) -> None:
        """One step has seen the outcome of ``source``; ``output`` is what it writes to ``topic``.

        Does nothing when the partition was given to another process meanwhile.
        """
        number, offset = place_of(source)
        with self._lock:
            partition, held = self._partitions.get(number), self._find(source)
            if partition is None or held is None:
                return
            if output is not None:
                held.outputs.append((topic, output))
            held.steps -= 1
            if not held.steps:
                partition.handled += 1
                if offset == partition.trial:
                    self._trials.end(partition)
                self._handled.append(held)
                self._handled_bytes += held.size

    @property
    def handled_enough(self) -> bool:
        """Whether the engine has to wait for a transaction."""
        return len(self._handled) >= MOST_HANDLED or self._handled_bytes >= MOST_HANDLED_BYTES

    # The calls (an Admission)

    one_at_a_time = False
    """Suspects are emitted one at a time."""

    def start(self, record: Record) -> bool:
        """Raises KilledProcess for a record that has killed earlier owners of its partition."""
        number, offset = place_of(record)
        with self._lock:
            partition = self._partitions.get(number)
            held = self._find(record)
            if partition is None or partition.closing or held is None:
                return False
            held.started = True
            if offset == partition.killer:
                raise KilledProcess(
                    f"the process died {partition.suspects.deaths} times in a row, "
                    f"{TRIALS} times while it handled this record alone",
                    attempts=partition.suspects.deaths,
                )
            return True

    def given_up(self, record: Record) -> bool:
        number, _ = place_of(record)
        with self._lock:
            partition = self._partitions.get(number)
            return partition is None or partition.given_up or self._find(record) is None

    def withdrawn(self, record: Record) -> None:
        with self._lock:
            if (held := self._find(record)) is not None:
                held.started = False

    def _emit(self, partition: Partition) -> Record | None:
        """Take the next of what was read; None when it is not to be handled."""
        read = partition.read_ahead.popleft()
        self._read_records -= 1
        self._read_bytes -= size_of(read)
        if isinstance(read, int):
            partition.state = partition.state.after(max(partition.state.offset, read))
            return None
        _, offset = place_of(read)
        emits = partition.state.emits(offset)
        partition.state = partition.state.after(offset + 1)
        if not emits:
            return None
        partition.in_flight[offset] = Input(read, self._steps)
        return read

    def _find(self, record: Record) -> Input | None:
        """``record`` in flight; None when it was given to another process meanwhile."""
        number, offset = place_of(record)
        partition = self._partitions.get(number)
        held = partition.in_flight.get(offset) if partition is not None else None
        return held if held is not None and held.record is record else None

    def _holds(self, held: Input) -> bool:
        return self._find(held.record) is held

    def _known(self, partitions: Collection[int]) -> list[Partition]:
        return [self._partitions[n] for n in partitions if n in self._partitions]

    def _forget_read_ahead(self, partition: Partition) -> None:
        self._read_records -= len(partition.read_ahead)
        self._read_bytes -= sum(map(size_of, partition.read_ahead))
        partition.read_ahead.clear()
