"""The rows of a run's files as records, with counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from operators.catalog.feeds.read import (
    ReadPacket,
    RejectedRow,
    SkippedRow,
    read_feed,
)
from operators.catalog.feeds.source import FeedSource
from operators.catalog.ingest.absent import UnreadableRows
from operators.catalog.ingest.presence import FieldPresence
from operators.catalog.ingest.rejects import RejectsFile
from operators.catalog.ingest.report import IngestReport, Repeat
from operators.catalog.ingest.seen import SeenIds
from operators.catalog.mapping import Mapping
from schemas.catalog import Packet, PacketKind
from schemas.errors import InvalidFile
from schemas.records import Record


@dataclass(frozen=True, slots=True)
class Files:
    """Files of one vendor, and how to interpret their rows."""

    sources: Sequence[FeedSource]
    mapping: Mapping
    version: int | None
    """Of rows without one of their own: the time at which the files were true."""
    kind: PacketKind = PacketKind.UPSERT

    @property
    def own_versions(self) -> bool:
        """Whether the rows state their versions."""
        return self.mapping.feed_version is not None


@dataclass(slots=True)
class Rows:
    """Reads ``files``; refused rows go to ``report`` and ``rejects``."""

    files: Files
    seen: SeenIds
    report: IngestReport
    rejects: RejectsFile | None = None
    keeps_ids: bool = False
    """Whether ``seen`` is to know every product that is in a row."""
    unreadable: UnreadableRows = field(default_factory=UnreadableRows)

    def records(self) -> Iterator[Record]:
        """The packets, ready to be sent. A file that breaks is reported, and the next is read."""
        files = self.files
        presence = FieldPresence(files.mapping)
        for number, source in enumerate(files.sources):
            read_before = self.report.read
            try:
                for row in read_feed(source, files.mapping, files.version, files.kind):
                    self.report.read += 1
                    if isinstance(row, SkippedRow):
                        self.report.skipped += 1
                        continue
                    if isinstance(row, RejectedRow):
                        self._refuse(source, row)
                        continue
                    if row.packet.kind is not PacketKind.DELETE:
                        presence.note(row.item)
                    for note in row.notes:
                        self.report.notes[note.field, note.reason] += 1
                    record = self._record(number, source, row)
                    if record is not None:
                        yield record
            except InvalidFile as error:
                rows = self.report.read - read_before
                until = f" ({rows:,} rows before it were read)" if rows else ""
                self.report.broken.append(f"{error}{until}")
        if self.report.read and files.kind is not PacketKind.DELETE:
            self.report.never_present = presence.missing

    def _record(self, number: int, source: FeedSource, row: ReadPacket) -> Record | None:
        """None for a repeated id."""
        packet = row.packet
        record = Record(packet.key, packet.model_dump_json().encode())
        if self.keeps_ids and packet.kind is not PacketKind.DELETE:
            self.seen.mark_present(packet.key)
        first = self.seen.first(self._identity(packet), number, row.line, record.value)
        if first is None:
            return record
        place = f"{self.files.sources[first.file].name}:{first.line}"
        self.report.repeat(Repeat(f"{source.name}:{row.line}", packet.key, place, first.same))
        if not first.same:
            message = f"the id {packet.product_id!r} was read at {place} already, with other values"
            self._refuse(
                source,
                RejectedRow(row.line, "repeated-id", message, row.row, packet.key, row.columns),
            )
        return None

    def _identity(self, packet: Packet) -> str:
        """Rows with their own versions may describe several states of a product."""
        return f"{packet.key}@{packet.version}" if self.files.own_versions else packet.key

    def _refuse(self, source: FeedSource, row: RejectedRow) -> None:
        self.report.refuse(source.name, row)
        if self.keeps_ids:
            if row.key is None:
                self.unreadable.add(row)
            else:
                self.seen.mark_present(row.key)
        if self.rejects is not None:
            self.rejects.write(source.name, row)
