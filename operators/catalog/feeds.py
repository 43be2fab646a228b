"""A vendor's file -> packets, row by row: CSV, TSV, JSON Lines, Google Merchant XML, Parquet.

A bad row is reported with its line and reason, and the others go on. Memory does not grow with the
file: rows are read one after the other, and none may be larger than ``MAX_ROW_BYTES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jmespath.exceptions import JMESPathError
from pydantic import ValidationError

from operators.catalog.feed_formats import BadRow, Row, csv_rows, json_rows, parquet_rows, tsv_rows
from operators.catalog.feed_xml import xml_rows
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping as VendorMapping
from schemas.catalog import Packet, PacketKind
from schemas.errors import InvalidFile, InvalidUpdate, Misconfigured

FORMATS: Mapping[str, Callable[[Path], Iterator[Row | BadRow]]] = {
    ".csv": csv_rows,
    ".tsv": tsv_rows,
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".xml": xml_rows,
    ".parquet": parquet_rows,
}
"""File name ending -> reader."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that is no packet."""

    line: int
    """Of the file, from 1 (Parquet: number of the row)."""
    reason: str
    """Short stable code."""
    message: str


def read_feed(
    path: Path, mapping: VendorMapping, version: int | None = None
) -> Iterator[Packet | RejectedRow]:
    """The packets (upserts) in the vendor's file at ``path``, each checked against ``mapping``.

    ``version``: for rows without one of their own; needed when the mapping names no version path.
    Raises InvalidFile when the file can't be read as what its name says, also halfway through, and
    Misconfigured when the mapping doesn't say how to read files.
    """
    if mapping.feed_id is None:
        raise Misconfigured(f"the mapping of {mapping.vendor} has no [feed] table with an id path")
    if mapping.feed_version is None and version is None:
        raise Misconfigured(
            f"the mapping of {mapping.vendor} has no [feed] version path: give a version"
        )
    read_rows = FORMATS.get(path.suffix.lower())
    if read_rows is None:
        raise InvalidFile(
            f"{path}: unknown kind of file; there are {', '.join(FORMATS)}", reason="unknown-format"
        )
    return _packets(path, read_rows, mapping, version)


def _packets(
    path: Path,
    read_rows: Callable[[Path], Iterator[Row | BadRow]],
    mapping: VendorMapping,
    version: int | None,
) -> Iterator[Packet | RejectedRow]:
    try:
        for row in read_rows(path):
            if isinstance(row, BadRow):
                yield RejectedRow(row.line, row.reason, row.message)
                continue
            for item in _items(row.values, mapping):
                yield _packet(row, item, mapping, version)
    except OSError as error:
        raise InvalidFile(f"{path}: {error.strerror or error}", reason="unreadable") from error


def _items(row: dict[str, Any], mapping: VendorMapping) -> Iterator[dict[str, Any]]:
    """The row once per variant that it holds, or just once."""
    variants = mapping.variant_list.find(row) if mapping.variant_list else None
    if not isinstance(variants, list):
        yield row
        return
    for variant in variants:
        yield {**row, "variant": variant}


def _packet(
    row: Row, item: dict[str, Any], mapping: VendorMapping, version: int | None
) -> Packet | RejectedRow:
    try:
        product_id = mapping.feed_id.find(item) if mapping.feed_id else None
        own = mapping.feed_version.find(item) if mapping.feed_version else None
        packet = Packet(
            vendor=mapping.vendor,
            product_id=_id(product_id),
            kind=PacketKind.UPSERT,
            version=version if own in (None, "") else own,
            payload=row.values,
        )
        map_packet(packet, mapping)
    except InvalidUpdate as error:
        return RejectedRow(row.line, error.reason, str(error))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(step) for step in problem["loc"])
        return RejectedRow(row.line, f"invalid-{where}", f"{where}: {problem['msg']}")
    except JMESPathError as error:
        return RejectedRow(row.line, "wrong-type", str(error).splitlines()[0])
    return packet


def _id(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise InvalidUpdate("the row has no product id", reason="missing-id")
    return str(value).strip()
