"""A vendor's file -> packets, row by row.

A bad row is reported with its line and reason, and the others go on. Memory does not grow with the
file: rows are read one after the other, and none may be larger than ``MAX_ROW_BYTES``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jmespath.exceptions import JMESPathError
from pydantic import ValidationError

from operators.catalog.feeds.columns import Columns, folded, names_in
from operators.catalog.feeds.dialect import Dialect, RowsWith
from operators.catalog.feeds.groups import filled_down
from operators.catalog.feeds.json_rows import json_lines_rows, json_list_rows
from operators.catalog.feeds.parquet import parquet_rows
from operators.catalog.feeds.rows import BadRow, Header, Row
from operators.catalog.feeds.separated import separated_rows
from operators.catalog.feeds.source import FeedSource, format_of
from operators.catalog.feeds.times import microseconds, parse_time, states_time
from operators.catalog.feeds.variants import items_of
from operators.catalog.feeds.xml_rows import xml_rows
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping
from operators.catalog.notes import Note
from operators.catalog.paths import FieldPath
from operators.catalog.product_id import parse_product_id
from operators.catalog.versions import check_version
from schemas.catalog import Packet, PacketKind
from schemas.errors import InvalidFile, InvalidUpdate, Misconfigured
from schemas.ids import product_key

_WHOLE_NUMBER = re.compile(r"([+-]?\d{1,19})(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that cannot become a packet."""

    line: int
    """Of the file, from 1 (Parquet and JSON lists: number of the row)."""
    reason: str
    """Short stable code."""
    message: str
    row: dict[str, Any] | str
    """As it was read, or its text when it could not be parsed."""
    key: str | None = None
    """Of its product; None when that could not be read."""
    columns: tuple[str, ...] = ()
    """Of a separated file's header."""


@dataclass(frozen=True, slots=True)
class ReadPacket:
    """A packet, and where in the file it was read."""

    line: int
    packet: Packet
    item: dict[str, Any]
    """What the mapping's paths read: the row, with its own item of several as ``variant``."""
    row: dict[str, Any]
    """As it was read."""
    columns: tuple[str, ...] = ()
    """Of a separated file's header."""
    notes: tuple[Note, ...] = ()
    """How its values will be cut, emptied or read leniently."""


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that the mapping's ``feed.skip`` excludes."""

    line: int
    item: dict[str, Any]
    columns: tuple[str, ...] = ()


FeedRow = ReadPacket | RejectedRow | SkippedRow


def read_feed(
    source: FeedSource,
    mapping: Mapping,
    version: int | None = None,
    kind: PacketKind = PacketKind.UPSERT,
) -> Iterator[FeedRow]:
    """The packets in the vendor's file, each checked against ``mapping``.

    ``version``: for rows without one of their own; needed when the mapping names no version path.
    ``kind``: what the rows are, apart from those that ``feed.deleted`` marks as deletes.
    Raises InvalidFile when the file can't be read as what its name or the mapping says, also
    halfway through, and Misconfigured when the mapping doesn't say how to read files.
    """
    if mapping.feed is None or mapping.feed_id is None:
        raise Misconfigured(f"the mapping of {mapping.vendor} has no [feed] table with an id path")
    if mapping.feed_version is None and version is None:
        raise Misconfigured(
            f"the mapping of {mapping.vendor} has no [feed] version path: give a version"
        )
    source.format(mapping.feed)
    rules = _Rules(mapping, version, kind, datetime.now(UTC))
    return _packets(source, mapping, mapping.feed, rules)


@dataclass(frozen=True, slots=True)
class _Rules:
    """How rows become packets."""

    mapping: Mapping
    version: int | None
    kind: PacketKind
    began: datetime
    """When the reading began."""


def _packets(
    source: FeedSource, mapping: Mapping, dialect: Dialect, rules: _Rules
) -> Iterator[FeedRow]:
    columns: tuple[str, ...] = ()
    has_rows = False
    with source.open(dialect) as stream:
        rows = _renamed(_rows(source, stream, dialect), Columns.of(mapping))
        if dialect.fill_down is not None:
            rows = filled_down(rows, dialect.fill_down)
        for row in rows:
            if isinstance(row, Header):
                columns = row.columns
                continue
            has_rows = True
            if isinstance(row, BadRow):
                yield RejectedRow(row.line, row.reason, row.message, row.text, None, columns)
            else:
                payload = row.values
                if columns and rules.kind is PacketKind.PATCH:
                    # A cell cannot be left out, so an empty one means absent.
                    payload = {name: cell for name, cell in payload.items() if cell != ""}
                yield from _row_packets(row, payload, rules, columns)
    if not has_rows and columns:
        _check_id_column(source.name, columns, mapping)


def _check_id_column(name: str, columns: tuple[str, ...], mapping: Mapping) -> None:
    """Raises InvalidFile without a column of the product id: a file of no rows is empty, but one
    line of text, such as a page that asks to log in, is not such a file."""
    ids = names_in(mapping.feed_id) if mapping.feed_id else []
    if ids and not {folded(column) for column in columns} & {folded(one) for one in ids}:
        raise InvalidFile(
            f"{name}: no rows, and no column {' or '.join(map(repr, sorted(ids)))} (feed.id); the "
            f"header line is {', '.join(columns)[:80]!r}",
            reason="no-id-column",
        )


def _renamed(
    rows: Iterator[Header | Row | BadRow], columns: Columns
) -> Iterator[Header | Row | BadRow]:
    for row in rows:
        if isinstance(row, Row):
            values = columns.renamed(row.values)
            yield row if values is row.values else Row(row.line, values)
        else:
            yield row


def _rows(
    source: FeedSource, stream: io.BufferedReader, dialect: Dialect
) -> Iterator[Header | Row | BadRow]:
    kind = source.format(dialect) or format_of(stream.peek(4096))
    if kind == "jsonl":
        return json_lines_rows(source.name, stream, dialect)
    if kind == "json":
        return json_list_rows(source.name, stream, dialect)
    if kind == "xml":
        return xml_rows(source.name, stream, dialect)
    if kind == "parquet":
        return parquet_rows(source.name, stream)
    return separated_rows(source.name, stream, dialect, tabs=kind == "tsv")


def _row_packets(
    row: Row, payload: dict[str, Any], rules: _Rules, columns: tuple[str, ...]
) -> Iterator[FeedRow]:
    """The row's packet, or one per variant that it holds."""
    try:
        items = items_of(payload, rules.mapping)
    except InvalidUpdate as error:
        yield RejectedRow(row.line, error.reason, str(error), row.values, None, columns)
        return
    for item in items:
        yield _packet(row, payload, item, rules, columns)


def _packet(
    row: Row,
    payload: dict[str, Any],
    item: dict[str, Any],
    rules: _Rules,
    columns: tuple[str, ...],
) -> FeedRow:
    mapping, dialect = rules.mapping, rules.mapping.feed
    key: str | None = None
    try:
        if _has_word(item, mapping.feed_skip, dialect.skip if dialect else None):
            return SkippedRow(row.line, item, columns)
        product_id = parse_product_id(mapping.feed_id.find(item) if mapping.feed_id else None)
        key = product_key(mapping.vendor, product_id)
        kind = rules.kind
        if _has_word(item, mapping.feed_deleted, dialect.deleted if dialect else None):
            kind = PacketKind.DELETE
        packet = Packet(
            vendor=mapping.vendor,
            product_id=product_id,
            kind=kind,
            version=_version(item, mapping, rules.version),
            payload={} if kind is PacketKind.DELETE else payload,
        )
        check_version(packet.version, rules.began)
        notes = () if kind is PacketKind.DELETE else map_packet(packet, mapping).notes
    except InvalidUpdate as error:
        reason, message = error.reason, str(error)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(step) for step in problem["loc"])
        reason, message = f"invalid-{where}", f"{where}: {problem['msg']}"
    except JMESPathError as error:
        reason, message = "wrong-type", str(error).splitlines()[0]
    else:
        return ReadPacket(row.line, packet, item, row.values, columns, notes)
    return RejectedRow(row.line, reason, message, row.values, key, columns)


def _has_word(item: dict[str, Any], path: FieldPath | None, rows: RowsWith | None) -> bool:
    if path is None or rows is None:
        return False
    said = path.find(item)
    word = "" if said is None else str(said).strip().casefold()
    return any(word == known.casefold() for known in rows.words)


def _version(item: dict[str, Any], mapping: Mapping, version: int | None) -> Any:
    own = mapping.feed_version.find(item) if mapping.feed_version else None
    if own in (None, ""):
        if version is None:
            raise InvalidUpdate("the row has no version", reason="missing-version")
        return version
    dialect = mapping.feed
    date_format, time_zone = (dialect.date_format, dialect.time_zone) if dialect else (None, None)
    if date_format is not None and states_time(own, date_format):
        return microseconds(parse_time(own, date_format, time_zone))
    if isinstance(own, str):
        if number := _WHOLE_NUMBER.fullmatch(own.strip()):
            return int(number[1])
        return microseconds(parse_time(own, date_format, time_zone))
    if isinstance(own, float):
        if own.is_integer():
            return int(own)
        raise InvalidUpdate(
            f"the version {own!r} is no whole number; if it is Unix time, set feed.date_format to "
            "'unix' or 'unix_ms'",
            reason="invalid-version",
        )
    return own
