"""The file of refused rows, to be corrected and ingested again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from operators.catalog.feeds.dialect import Dialect
from operators.catalog.feeds.read import RejectedRow
from operators.catalog.feeds.source import FORMATS, FeedSource
from schemas.errors import Misconfigured

_DELIMITERS = {"csv": ",", "tsv": "\t"}


class RejectsFile:
    """Writes refused rows as they were read."""

    def __init__(self, path: Path, file: TextIO, dialect: Dialect, delimiter: str | None) -> None:
        """``delimiter``: None for JSON Lines."""
        self._path = path
        self._file = file
        self._dialect = dialect
        self._delimiter = delimiter
        self._columns: tuple[str, ...] | None = None
        self._last: tuple[str, int] | None = None

    @classmethod
    @contextmanager
    def open(
        cls, path: Path, dialect: Dialect, sources: Sequence[FeedSource] = ()
    ) -> Iterator[RejectsFile]:
        """JSON Lines or separated values, as the name ends; replaces an older file.

        Raises Misconfigured, also when the file is one of the ``sources``: it would be emptied
        before it is read.
        """
        kind = FORMATS.get(path.suffix.lower())
        if kind not in ("jsonl", "csv", "tsv"):
            raise Misconfigured(
                f"--rejects {path}: name it .jsonl, or .csv, .tsv or .txt like the file it is from"
            )
        delimiter = None if kind == "jsonl" else dialect.delimiter or _DELIMITERS[kind]
        # A mark for the mapping that declares another encoding: a mark is believed first.
        plain = dialect.encoding in (None, "utf-8")
        paths = [source.path.resolve() for source in sources if source.path is not None]
        if path.resolve() in paths:
            raise Misconfigured(f"--rejects {path}: that file is to be read; name another")
        try:
            file = path.open("w", encoding="utf-8" if plain else "utf-8-sig", newline="")
        except OSError as error:
            raise Misconfigured(f"--rejects {path}: {error.strerror or error}") from error
        with file:
            yield cls(path, file, dialect, delimiter)

    def write(self, source: str, row: RejectedRow) -> None:
        """Append ``row`` of the file ``source``, once however many of its variants are refused."""
        if self._last == (source, row.line):
            return
        self._last = (source, row.line)
        if self._delimiter is None:
            self._write_object(row)
        else:
            self._write_cells(row, self._delimiter)

    def _write_object(self, row: RejectedRow) -> None:
        if isinstance(row.row, dict):
            text = json.dumps(row.row, ensure_ascii=False)
        elif row.columns:
            # Cells beyond the header's columns have no name; the row must be corrected by hand.
            text = json.dumps({"unreadable_line": row.row.rstrip("\n")}, ensure_ascii=False)
        else:
            text = row.row.rstrip("\n")
        if text:
            self._file.write(f"{text}\n")

    def _write_cells(self, row: RejectedRow, delimiter: str) -> None:
        if not row.columns:
            raise Misconfigured(
                f"--rejects {self._path}: the refused rows have no columns; name it .jsonl"
            )
        if self._columns is None:
            self._columns = row.columns
            self._file.write("\n" * (self._dialect.header_row - 1))
            if not self._dialect.columns:
                self._write_row(row.columns, delimiter)
        elif self._columns != row.columns:
            raise Misconfigured(
                f"--rejects {self._path}: the files have different columns; name it .jsonl"
            )
        if isinstance(row.row, str):
            if row.row:
                self._file.write(row.row if row.row.endswith("\n") else f"{row.row}\n")
            return
        # By position: the mapping may call a column otherwise. One without a name has no value.
        times = Counter(column for column in row.columns if column)
        # Of columns with the same name the first take the values.
        left = {
            name: list(value) if isinstance(value, list) and times[name] > 1 else [value]
            for name, value in zip(times, row.row.values(), strict=False)
        }
        cells = [_cell(left[c].pop(0)) if left.get(c) else "" for c in row.columns]
        self._write_row(cells, delimiter)

    def _write_row(self, cells: Sequence[str], delimiter: str) -> None:
        quote = '"' if self._dialect.quote is None else self._dialect.quote
        if not quote and self._dialect.escape is None:
            self._file.write(delimiter.join(cells) + "\n")
            return
        csv.writer(
            self._file,
            delimiter=delimiter,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            escapechar=self._dialect.escape,
            doublequote=self._dialect.escape is None,
            lineterminator="\n",
        ).writerow(cells)


def _cell(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
