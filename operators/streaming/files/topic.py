"""File topics: a folder per topic, an append-only file of JSON Lines per partition.

    FOLDER/catalog.updates/topic.json             {"partitions": 2}
    FOLDER/catalog.updates/partition-000.jsonl    see record_lines
    FOLDER/catalog.changes/partition-000.writer   the topic belongs to a flow, see file_sink

Offsets are byte positions. A last line without its newline is not there yet: readers leave it,
and the next writer removes it (its writer died, and was never told that it was written).
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from zlib import crc32

from operators.durable_files import (
    CHUNK,
    end_of_last_line,
    open_to_append,
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
        """Make the topic unless it exists; its number of partitions never changes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # Written aside and linked: of two processes one wins, and nobody reads half a file.
        draft = self._folder / f"topic.json.{os.getpid()}"
        write_durably(draft, json.dumps({"partitions": partitions}).encode())
        try:
            os.link(draft, self._folder / "topic.json")
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
        """There when the partition belongs to a flow's sink."""
        return self._folder / f"partition-{partition:03d}.writer"

    def append(self, records: Iterable[Record]) -> list[Position]:
        """Append ``records``, durable when this returns; their positions, in their order.

        Each partition's share is written at once, so appends of several processes do not mix.
        Raises Misconfigured for a topic that a flow writes: on its recovery the flow would cut
        off what others have appended.
        """
        records = list(records)
        shares: dict[int, list[int]] = defaultdict(list)
        for index, record in enumerate(records):
            shares[self.partition_of(record.key)].append(index)
        positions: dict[int, Position] = {}
        for partition, indices in shares.items():
            if self.writer_path(partition).exists():
                raise Misconfigured(f"topic {self.name} is written by a flow, and by nobody else")
            lines = [encode(records[index]) for index in indices]
            with open_to_append(self.path(partition)) as file:
                offset = end_of_last_line(file)
                os.ftruncate(file, offset)
                write_all(file, b"".join(lines))
                os.fsync(file)
            for index, line in zip(indices, lines, strict=True):
                positions[index] = Position(self.name, partition, offset)
                offset += len(line)
        return [positions[index] for index in range(len(records))]

    def read(self, partition: int, offset: int = 0) -> Iterator[Record]:
        """The complete records from ``offset`` (a record's own, or an end) to the present end."""
        reader = PartitionReader(self, partition, offset)
        try:
            while records := reader.read(1024):
                yield from records
        finally:
            reader.close()

    def end_offsets(self) -> dict[int, int]:
        """Per partition, the offset that its next record will have."""
        ends: dict[int, int] = {}
        for partition in range(self.partitions):
            file = os.open(self.path(partition), os.O_RDONLY | os.O_CREAT, 0o644)
            try:
                ends[partition] = end_of_last_line(file)
            finally:
                os.close(file)
        return ends

    def lag(self, offsets: Mapping[int, int]) -> dict[int, int]:
        """Per partition, bytes between a reader's offset (default 0) and the end."""
        return {
            partition: max(0, end - offsets.get(partition, 0))
            for partition, end in self.end_offsets().items()
        }


class PartitionReader:
    """Reads one partition forward, complete lines only."""

    def __init__(self, topic: FileTopic, partition: int, offset: int) -> None:
        """Raises Misconfigured when the file ends before ``offset``: it is not the same topic."""
        self.offset = offset
        """Of the next record to be read."""
        self._topic = topic
        self._partition = partition
        descriptor = os.open(topic.path(partition), os.O_RDONLY | os.O_CREAT, 0o644)
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        self._chunk = b""
        self._at = 0
        """Start of the next line in the chunk; ``offset`` is its place in the file."""
        if self.size < offset:
            self.close()
            raise Misconfigured(
                f"{topic.path(partition)} ends before offset {offset}, where reading is to go on: "
                "the topic was replaced; remove the flow's recovery folder to start afresh"
            )

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return os.fstat(self._file.fileno()).st_size

    def read(self, limit: int) -> list[Record]:
        """Up to ``limit`` records; none when no complete line is there (yet)."""
        records: list[Record] = []
        while len(records) < limit:
            end = self._chunk.find(b"\n", self._at) + 1
            if not end:
                if not self._read_on():
                    break
                continue
            position = Position(self._topic.name, self._partition, self.offset)
            records.append(decode(self._chunk[self._at : end], position))
            self.offset += end - self._at
            self._at = end
        return records

    def _read_on(self) -> bool:
        """Read on until the chunk holds a complete line; False when there is none."""
        rest = len(self._chunk) - self._at
        more = os.pread(self._file.fileno(), max(CHUNK, 2 * rest), self.offset)
        # Read anew from the line's start: its rest may have been cut off and written again.
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
