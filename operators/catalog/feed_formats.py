"""Rows of CSV, TSV, JSON Lines and Parquet files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from schemas.errors import InvalidFile

MAX_ROW_BYTES = 4 * 2**20
_MAX_CELL_CHARACTERS = 131_072
"""The csv module's own default: a quote that is never closed ends there, not at the file's end."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file as a payload."""

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be read."""

    line: int
    reason: str
    message: str


def csv_rows(path: Path) -> Iterator[Row | BadRow]:
    """Rows of a CSV file with a header line; UTF-8, with or without a byte order mark."""
    return _separated_rows(path, ",")


def tsv_rows(path: Path) -> Iterator[Row | BadRow]:
    """Rows of a tab-separated file with a header line; UTF-8."""
    return _separated_rows(path, "\t")


def _separated_rows(path: Path, delimiter: str) -> Iterator[Row | BadRow]:
    _refuse_binary(path)
    # Bytes that are no UTF-8 survive as surrogates, so that they cost their row and not the file.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        csv.field_size_limit(_MAX_CELL_CHARACTERS)
        reader = csv.reader(file, delimiter=delimiter)
        header = [name.strip() for name in _next_cells(reader) or []]
        if not header or len(set(header)) < len(header):
            raise InvalidFile(f"{path}: the first line is no header", reason="no-header")
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(line, "broken-row", str(error))
                continue
            if cells:
                yield _row_of_cells(line, header, cells)


def _next_cells(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error:
        return None


def _row_of_cells(line: int, header: list[str], cells: list[str]) -> Row | BadRow:
    if len(cells) != len(header):
        return BadRow(line, "broken-row", f"{len(cells)} cells under {len(header)} columns")
    if any("\udc80" <= letter <= "\udcff" for cell in cells for letter in cell):
        return BadRow(line, "not-utf-8", "bytes that are not UTF-8")
    return Row(line, dict(zip(header, cells, strict=True)))


def json_rows(path: Path) -> Iterator[Row | BadRow]:
    """Rows of a JSON Lines file: one object per line."""
    _refuse_binary(path)
    with path.open("rb") as file:
        line = 0
        while text := file.readline(MAX_ROW_BYTES):
            line += 1
            if not text.endswith(b"\n") and len(text) == MAX_ROW_BYTES:
                while (more := file.readline(MAX_ROW_BYTES)) and not more.endswith(b"\n"):
                    pass
                yield BadRow(line, "too-long", f"a line of more than {MAX_ROW_BYTES} bytes")
            elif text.strip():
                yield _row_of_json(line, text)


def _row_of_json(line: int, text: bytes) -> Row | BadRow:
    try:
        values = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return BadRow(line, "broken-row", f"no JSON: {error}")
    if not isinstance(values, dict):
        return BadRow(line, "broken-row", f"no JSON object, but {type(values).__name__}")
    return Row(line, values)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def parquet_rows(path: Path) -> Iterator[Row | BadRow]:
    """Rows of a Parquet file; ``line`` is the number of the row."""
    # Imported here: half a second that only those who read Parquet should wait.
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            line = 0
            for batch in file.iter_batches(batch_size=256):
                for values in batch.to_pylist():
                    line += 1
                    yield _row_of_parquet(line, values)
    except pyarrow.ArrowException as error:
        raise InvalidFile(f"{path}: no Parquet file: {error}", reason="unreadable") from error


def _row_of_parquet(line: int, values: dict[str, Any]) -> Row | BadRow:
    try:
        return Row(line, {name: _plain(value) for name, value in values.items()})
    except TypeError as error:
        return BadRow(line, "wrong-type", str(error))


def _plain(value: Any) -> Any:
    """The value as JSON has it. Missing numbers are NaN in files that were data frames."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    raise TypeError(f"a value of type {type(value).__name__}")


def _refuse_binary(path: Path) -> None:
    with path.open("rb") as file:
        if b"\0" in file.read(4096):
            raise InvalidFile(f"{path}: this is no text file", reason="unreadable")
