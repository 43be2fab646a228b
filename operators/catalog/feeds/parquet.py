"""Rows of Parquet files."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from operators.catalog.feeds.json_rows import repaired
from operators.catalog.feeds.rows import MAX_ROW_BYTES, BadRow, Row
from operators.catalog.feeds.source import seekable
from schemas.errors import InvalidFile

_ROWS_AT_A_TIME = 256
_BATCH_BYTES = 64 * 2**20
"""Of the rows that are read at a time, by their average in the file."""


def parquet_rows(name: str, stream: io.BufferedReader) -> Iterator[Row | BadRow]:
    """Every row; ``line`` is its number. Raises InvalidFile when it is no Parquet file."""
    # Imported here: half a second that only those who read Parquet should wait.
    import pyarrow
    import pyarrow.parquet

    with ExitStack() as stack:
        try:
            file = stack.enter_context(pyarrow.parquet.ParquetFile(seekable(stream, stack)))
            line = 0
            for batch in file.iter_batches(batch_size=_rows_at_a_time(file.metadata)):
                columns = [_values(column) for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    line += 1
                    values = dict(zip(batch.schema.names, cells, strict=True))
                    if batch.nbytes > MAX_ROW_BYTES and len(json.dumps(values)) > MAX_ROW_BYTES:
                        yield BadRow(line, "too-long", f"more than {MAX_ROW_BYTES:,} bytes")
                    else:
                        yield Row(line, values)
        except pyarrow.ArrowException as error:
            raise InvalidFile(f"{name}: no Parquet file: {error}", reason="unreadable") from error


def _rows_at_a_time(metadata: Any) -> int:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(_ROWS_AT_A_TIME, _BATCH_BYTES // max(1, largest)))


def _values(column: Any) -> list[Any]:
    """The column's values as JSON has them; one that has no such form is missing, not its row."""
    values = []
    for scalar in column:
        try:
            values.append(repaired(_plain(scalar.as_py())))
        except (ValueError, TypeError, OverflowError, UnicodeDecodeError):
            values.append(None)
    return values


def _plain(value: Any) -> Any:
    """The value as JSON has it. Missing numbers are NaN in files that were data frames."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
            return {str(name): _plain(inner) for name, inner in value}  # a map column
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    raise TypeError(f"a value of type {type(value).__name__}")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
