"""File topics as a sink of the engine: each start truncates what an unfinished epoch wrote.

The recovered state is the file's length. Before the first snapshot there is no state, but the file
may hold records of an unfinished first epoch. So the first build writes a durable note next to the
file: its recovery store's id and the file's length. A build without recovered state that finds a
note of the same store truncates the file to that length (decisions/013). What a job appended while
the flow was stopped is never truncated (decisions/128).
"""

from __future__ import annotations

import fcntl
import json
import os

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.durable_files import end_of_last_line, replace_durably, write_all
from operators.file_errors import naming
from operators.streaming.files.record_lines import encode
from operators.streaming.files.topic import FileTopic
from schemas.errors import Misconfigured
from schemas.records import Record


class FileTopicSink(FixedPartitionedSink[Record, int]):
    """Writes records, partitioned by key, to a file topic with no other writer."""

    def __init__(self, topic: FileTopic, store_id: str) -> None:
        """``store_id``: the recovery store's id."""
        self._topic = topic
        self._store_id = store_id

    def list_parts(self) -> list[str]:
        return [f"{partition:03d}" for partition in range(self._topic.partitions)]

    def part_fn(self, item_key: str) -> int:
        return self._topic.partition_of(item_key)

    def build_part(
        self, step_id: str, for_part: str, resume_state: int | None
    ) -> StatefulSinkPartition[Record, int]:
        return _Partition(self._topic, int(for_part), self._store_id, resume_state)


class _Partition(StatefulSinkPartition[Record, int]):
    def __init__(
        self, topic: FileTopic, partition: int, store_id: str, recovered: int | None
    ) -> None:
        path = self._path = topic.path(partition)
        # A file object, not a descriptor: when the flow fails, the engine drops a partition
        # without closing it, and garbage collection must release the lock.
        self._file = path.open("a+b", buffering=0)
        try:
            # Held until the process ends: the lines of a second flow would mix with ours.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise Misconfigured(f"another process writes {path}: stop it first") from None
        ours = self._first_length(topic, partition, store_id) if recovered is None else recovered
        self._length = max(ours, topic.kept(partition))
        if os.fstat(self._file.fileno()).st_size < self._length:
            raise Misconfigured(
                f"{path} is shorter than when its flow last ran: the topic was replaced; "
                "remove the flow's recovery folder to start from the beginning"
            )
        self._file.truncate(self._length)
        os.fsync(self._file)

    def _first_length(self, topic: FileTopic, partition: int, store_id: str) -> int:
        """The file's length when the flow with this recovery store first opened it."""
        note_path = topic.writer_path(partition)
        if note_path.exists():
            note = json.loads(note_path.read_bytes())
            if note["store"] == store_id:
                return int(note["length"])
        length = end_of_last_line(self._file.fileno())
        note = {"store": store_id, "length": length}
        replace_durably(note_path, json.dumps(note).encode())
        return length

    def write_batch(self, values: list[Record]) -> None:
        lines = b"".join(map(encode, values))
        with naming(self._path):
            write_all(self._file.fileno(), lines)
        self._length += len(lines)

    def snapshot(self) -> int:
        with naming(self._path):
            os.fsync(self._file)
        return self._length

    def close(self) -> None:
        self._file.close()
