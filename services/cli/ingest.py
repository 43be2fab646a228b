"""``looksync ingest``: a vendor's file becomes packets on catalog.updates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from rich.console import Console

from dataflows.wiring.topics import open_topic
from operators.catalog.feeds import RejectedRow, read_feed
from operators.catalog.mapping import SHIPPED, Mapping, load_mappings
from schemas.errors import InvalidFile, Misconfigured
from schemas.records import Record
from schemas.settings import Settings

BATCH = 1000
"""Packets appended at once: durable together, so one disk flush for all of them."""
SHOWN_ROWS = 20


@dataclass(slots=True)
class IngestSummary:
    """What came of a file."""

    topic: str
    sent: int = 0
    refused: int = 0
    first_refused: list[RejectedRow] = field(default_factory=list)

    def print(self, console: Console) -> None:
        """Say how many packets were sent, and which rows were refused and why."""
        console.print(f"{self.sent:,} packets sent to {self.topic}, {self.refused:,} rows refused")
        for row in self.first_refused:
            console.print(f"  line {row.line}: ", end="")
            console.print(f"{row.reason}: {row.message}", markup=False, highlight=False)
        if self.refused > len(self.first_refused):
            console.print(f"  and {self.refused - len(self.first_refused):,} more")


def ingest_file(file: Path, vendor: str, settings: Settings) -> IngestSummary:
    """Send the rows of ``file``; refused rows are reported, the others go on.

    Rows without a version of their own get the time of this call (microseconds since 1970), so
    a file ingested again replaces what it said before. Raises InvalidFile or Misconfigured.
    """
    topic = open_topic(settings.topics, settings.topics.updates)
    mapping = _mapping(vendor, settings)
    summary = IngestSummary(topic.name)

    def records() -> Iterator[Record]:
        for packet in read_feed(file, mapping, version=time.time_ns() // 1000):
            if isinstance(packet, RejectedRow):
                summary.refused += 1
                if len(summary.first_refused) < SHOWN_ROWS:
                    summary.first_refused.append(packet)
            else:
                summary.sent += 1
                yield Record(packet.key, packet.model_dump_json().encode())

    packets = records()
    try:
        while batch := list(islice(packets, BATCH)):
            topic.append(batch)
    except InvalidFile as error:
        sent = summary.sent - summary.sent % BATCH
        raise InvalidFile(
            f"{error} ({sent:,} packets before it were sent)", reason=error.reason
        ) from error
    return summary


def _mapping(vendor: str, settings: Settings) -> Mapping:
    """By the vendor's name, or the mapping file itself, which the flow must know as well."""
    mappings = load_mappings(settings.catalog.mappings)
    name = Mapping.load(Path(vendor)).vendor if vendor.endswith(".toml") else vendor
    if name not in mappings:
        raise Misconfigured(
            f"there is no mapping for the vendor {name!r} in "
            f"{settings.catalog.mappings or SHIPPED}, where "
            f"the catalog flow looks; it has {', '.join(sorted(mappings))}"
        )
    return mappings[name]
