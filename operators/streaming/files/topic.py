"""File topics: a folder per topic, an append-only file of JSON Lines per partition.

    FOLDER/catalog.updates/topic.json             {"partitions": 2}
    FOLDER/catalog.updates/partition-000.jsonl    see record_lines.py
    FOLDER/catalog.changes/partition-000.writer   a flow writes the topic, see sink.py
    FOLDER/catalog.changes/partition-000.kept     a job has written up to this offset

Offsets are byte positions. A last line without its newline is incomplete: readers ignore it, and
the next writer removes it (its writer died before its append returned).
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import inf
from pathlib import Path
from zlib import crc32

from operators.durable_files import (
    CHUNK,
    draft_of,
    end_of_last_line,
    open_to_append,
    replace_durably,
    sync_folder,
    write_all,
    write_durably,
)
from operators.streaming.files.record_lines import decode, encode
from schemas.errors import Misconfigured
from schemas.records import Position, Record


class FileTopic:
    """The topic ``name`` in ``folder``."""

    def __init__(self, folder: Path, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", name):
            raise Misconfigured(f"topic {name!r}: use letters, digits, dots, dashes, underscores")
        self.name = name
        self._folder = folder / name

    def create(self, partitions: int) -> None:
        """Create the topic unless it exists; its number of partitions never changes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # Written elsewhere and linked: of two writers one wins, and no reader sees half a file.
        facts = self._folder / "topic.json"
        if facts.exists():
            return
        draft = draft_of(facts)
        write_durably(draft, json.dumps({"partitions": partitions}).encode())
        try:
            os.link(draft, facts)
        except FileExistsError:
            return
        finally:
            draft.unlink(missing_ok=True)
        for partition in range(partitions):
            self.path(partition).touch()
        sync_folder(self._folder)

    @cached_property
    def partitions(self) -> int:
        """Raises Misconfigured when there is no such topic."""
        try:
            return int(json.loads((self._folder / "topic.json").read_bytes())["partitions"])
        except FileNotFoundError:
            raise Misconfigured(f"there is no topic {self.name} in {self._folder.parent}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise Misconfigured(f"{self._folder / 'topic.json'} is broken: {error}") from error

    def partition_of(self, key: str) -> int:
        return crc32(key.encode("utf-8", "surrogatepass")) % self.partitions

    def path(self, partition: int) -> Path:
        return self._folder / f"partition-{partition:03d}.jsonl"

    def writer_path(self, partition: int) -> Path:
        """The note of the flow that writes the partition; it exists only for such partitions."""
        return self._folder / f"partition-{partition:03d}.writer"

    def kept_path(self, partition: int) -> Path:
        """The note of :meth:`append_between_runs`."""
        return self._folder / f"partition-{partition:03d}.kept"

    def kept(self, partition: int) -> int:
        """The offset before which a flow's recovery truncates nothing."""
        path = self.kept_path(partition)
        return int(path.read_bytes()) if path.exists() else 0

    def append(self, records: Iterable[Record]) -> list[Position]:
        """Append ``records`` durably; their positions, in order.

        Each partition's records are written at once, so appends of several processes do not mix.
        Raises Misconfigured for a topic that a flow writes: the flow's recovery would truncate
        what others have appended.
        """
        records = list(records)
        positions: dict[int, Position] = {}
        for partition, indices in self._shares(records).items():
            if self.writer_path(partition).exists():
                raise Misconfigured(
                    f"topic {self.name} is written by a flow: nothing else may append to it"
                )
            positions |= self._append(partition, records, indices)
        return [positions[index] for index in range(len(records))]

    def append_between_runs(self, records: Iterable[Record]) -> None:
        """Append ``records`` durably to a topic that a flow writes, while that flow is stopped.

        The flow's recovery keeps them, and with them what an unfinished epoch left before them.
        Raises Misconfigured while another process writes the topic.
        """
        records = list(records)
        for partition, indices in self._shares(records).items():
            try:
                self._append(partition, records, indices, wait=False)
            except BlockingIOError:
                raise Misconfigured(
                    f"another process writes {self.path(partition)}: stop it first"
                ) from None
            end = os.stat(self.path(partition)).st_size
            replace_durably(self.kept_path(partition), str(end).encode())

    def _shares(self, records: Sequence[Record]) -> dict[int, list[int]]:
        """The indices of each partition's records."""
        shares: dict[int, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            shares[self.partition_of(record.key)].append(index)
        return shares

    def _append(
        self, partition: int, records: Sequence[Record], indices: list[int], *, wait: bool = True
    ) -> dict[int, Position]:
        """Append the records at ``indices``; their positions."""
        positions: dict[int, Position] = {}
        lines = [encode(records[index]) for index in indices]
        with open_to_append(self.path(partition), wait=wait) as file:
            offset = end_of_last_line(file)
            os.ftruncate(file, offset)
            write_all(file, b"".join(lines))
            os.fsync(file)
        for index, line in zip(indices, lines, strict=True):
            positions[index] = Position(self.name, partition, offset)
            offset += len(line)
        return positions

    def read(self, partition: int, offset: int = 0) -> Iterator[Record]:
        """The complete records from ``offset`` (a record's own, or an end) to the present end."""
        reader = PartitionReader(self, partition, offset)
        try:
            while records := reader.read(1024):
                yield from records
        finally:
            reader.close()

    def end_offsets(self) -> dict[int, int]:
        """Per partition, the offset of its next record."""
        ends: dict[int, int] = {}
        for partition in range(self.partitions):
            file = os.open(self.path(partition), os.O_RDONLY | os.O_CREAT, 0o644)
            try:
                ends[partition] = end_of_last_line(file)
            finally:
                os.close(file)
        return ends

    def lag(self, offsets: Mapping[int, int]) -> dict[int, int]:
        """Per partition, the bytes from a reader's offset (default 0) to the end."""
        return {
            partition: max(0, end - offsets.get(partition, 0))
            for partition, end in self.end_offsets().items()
        }


class PartitionReader:
    """Reads the complete lines of one partition forward."""

    def __init__(self, topic: FileTopic, partition: int, offset: int) -> None:
        """Raises Misconfigured when the file ends before ``offset``: the topic was replaced."""
        self.offset = offset
        """Offset of the next record."""
        self._topic = topic
        self._partition = partition
        descriptor = os.open(topic.path(partition), os.O_RDONLY | os.O_CREAT, 0o644)
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._chunk = b""
        self._at = 0
        """Start of the next line in the chunk; ``offset`` is its position in the file."""
        if self.size < offset:
            self.close()
            raise Misconfigured(
                f"{topic.path(partition)} ends before offset {offset}, where reading is to resume: "
                "the topic was replaced; remove the flow's recovery folder to start from the "
                "beginning"
            )

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def read(self, limit: int, limit_bytes: float = inf) -> list[Record]:
        """At most ``limit`` records, and none after the one that exceeds ``limit_bytes``; none
        while there is no complete line."""
        records: list[Record] = []
        size = 0
        while len(records) < limit and size < limit_bytes:
            end = self._chunk.find(b"\n", self._at) + 1
            if not end:
                if not self._read_on():
                    break
                continue
            position = Position(self._topic.name, self._partition, self.offset)
            records.append(decode(self._chunk[self._at : end], position))
            size += len(records[-1].value)
            self.offset += end - self._at
            self._at = end
        return records

    def _read_on(self) -> bool:
        """Read until the chunk holds a complete line; False when there is none."""
        rest = len(self._chunk) - self._at
        more = os.pread(self._file.fileno(), max(CHUNK, 2 * rest), self.offset)
        # Read again from the line's start: its end may have been truncated and rewritten.
        if b"\n" in more:
            self._chunk, self._at = more, 0
            return True
        self._chunk, self._at = b"", 0
        if len(more) < max(CHUNK, 2 * rest):
            return False
        self._chunk = more
        return self._read_on()

    def close(self) -> None:
        self._file.close()
