"""Rows of comma-, tab- or otherwise separated files."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from operators.catalog.feeds.dialect import Dialect
from operators.catalog.feeds.rows import MAX_ROW_BYTES, BadRow, Header, Row
from operators.catalog.feeds.text import decoded, encoding_of, is_undecodable, mended
from schemas.errors import InvalidFile

MAX_LINES = 500
"""Lines of one row. A cell may hold a description of many paragraphs; a quote that is never closed
must not cost more than the line it stands in."""

MAX_COLUMNS = 10_000
"""Each row has a value for each column: a longer header would make packets of short rows long."""

_EXCEL = re.compile(r'"?sep=(.)"?\1*', re.IGNORECASE)

_DELIMITERS = ";|\t,"
"""The separator found, where it is not the expected one."""


class _TooLong(Exception):
    """A row passed ``MAX_LINES`` or ``MAX_ROW_BYTES``."""

    def __init__(self) -> None:
        super().__init__("a quote is opened and not closed")


class _Lines:
    """The file's lines, of which those of a row that failed can be read again."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self.number = 0
        """Of the line given last."""
        self.row: list[str] = []
        """Lines of the row being read."""
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.row.append(line)
        self._size += len(line)
        if self._size > MAX_ROW_BYTES or len(self.row) > MAX_LINES:
            raise _TooLong
        return line

    def _read(self) -> str:
        line = self._text.readline(MAX_ROW_BYTES)
        if len(line) == MAX_ROW_BYTES and not line.endswith("\n"):
            # Only its beginning is kept: the row is refused anyway.
            while (more := self._text.readline(MAX_ROW_BYTES)) and not more.endswith("\n"):
                pass
            line += "\n"
        return line

    def take_separator(self) -> str | None:
        """The separator that Excel writes in a first line of its own, which is then passed over."""
        first = self._read()
        if found := _EXCEL.fullmatch(first.strip()):
            self.number += 1
            return found[1]
        self._again.append(first)
        return None

    def begin_row(self) -> None:
        self.row = []
        self._size = 0

    def keep_first(self) -> str:
        """Give all lines of the row but the first once more; the first."""
        first, rest = self.row[0], self.row[1:]
        self._again.extendleft(reversed(rest))
        self.number -= len(rest)
        self.row = [first]
        return first


@dataclass(frozen=True, slots=True)
class _Notation:
    """A dialect with its defaults for the kind of file."""

    delimiter: str
    quote: str
    escape: str | None
    may_be_letters: bool
    """Where quotes do not fit together, they are letters: in tab-separated files a title that
    begins with a quote is as likely as a quoted cell."""

    @classmethod
    def of(cls, dialect: Dialect, *, tabs: bool) -> _Notation:
        delimiter = dialect.delimiter or ("\t" if tabs else ",")
        undeclared = dialect.quote is None and dialect.escape is None
        return cls(
            delimiter,
            '"' if dialect.quote is None else dialect.quote,
            dialect.escape,
            undeclared and delimiter == "\t",
        )

    def reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape,
            doublequote=self.escape is None,
            skipinitialspace=bool(self.quote),
            strict=True,
        )


def separated_rows(
    name: str, stream: io.BufferedReader, dialect: Dialect, *, tabs: bool
) -> Iterator[Header | Row | BadRow]:
    """The header, then rows under its columns. Raises InvalidFile when there is no header."""
    encoding = encoding_of(name, stream, dialect.encoding)
    notation = _Notation.of(dialect, tabs=tabs)
    csv.field_size_limit(MAX_ROW_BYTES)
    with decoded(stream, encoding) as text:
        lines = _Lines(text)
        if (
            dialect.delimiter is None
            and not dialect.columns
            and (declared := lines.take_separator())
        ):
            notation = replace(notation, delimiter=declared)
        reader = notation.reader(lines)
        header = list(dialect.columns) or _header(name, lines, reader, dialect, encoding)
        yield Header(tuple(header))
        while True:
            lines.begin_row()
            line = lines.number + 1
            try:
                cells = next(reader)
                if len(lines.row) > 1 and len(cells) != len(header):
                    raise csv.Error(f"{len(cells)} cells under {len(header)} columns")
            except StopIteration:
                return
            except (csv.Error, _TooLong) as error:
                first = lines.keep_first()
                if not notation.may_be_letters or len(first) >= MAX_ROW_BYTES:
                    yield _broken(line, first, error)
                    continue
                cells = first.rstrip("\n").split(notation.delimiter)
            if any(cells):
                yield _row(line, header, cells, lines.row, encoding)


def _header(
    name: str, lines: _Lines, reader: Iterator[list[str]], dialect: Dialect, encoding: str
) -> list[str]:
    try:
        for _ in range(dialect.header_row - 1):
            next(lines)
        lines.begin_row()
        cells = next(reader)
        while not any(cells):
            lines.begin_row()
            cells = next(reader)
    except (StopIteration, csv.Error, _TooLong):
        raise InvalidFile(f"{name}: it has no header line", reason="no-header") from None
    if any(is_undecodable(cell, encoding) for cell in cells):
        raise InvalidFile(
            f"{name}: the header is not {encoding.upper()}; set feed.encoding", reason="not-utf-8"
        )
    header = [cell.strip().strip('"').replace("\0", "").strip() for cell in cells]
    if len(header) > MAX_COLUMNS:
        raise InvalidFile(
            f"{name}: the header line has {len(header):,} columns; at most {MAX_COLUMNS:,} are "
            "read",
            reason="too-long",
        )
    if not any(header):
        raise InvalidFile(f"{name}: the header line names no column", reason="no-header")
    if len(header) == 1 and (other := next((d for d in _DELIMITERS if d in header[0]), None)):
        raise InvalidFile(
            f"{name}: the header is one column, {header[0][:80]!r}; set feed.delimiter = {other!r} "
            "if that separates them",
            reason="no-header",
        )
    return header


def _row(
    line: int,
    header: list[str],
    cells: list[str],
    lines: list[str],
    encoding: str,
) -> Row | BadRow:
    if len(cells) > len(header) and any(cells[len(header) :]):
        return BadRow(
            line,
            "broken-row",
            f"{len(cells)} cells under {len(header)} columns",
            mended("".join(lines)),
        )
    if any(is_undecodable(one, encoding) for one in lines):
        return BadRow(
            line,
            "not-utf-8" if encoding.startswith("utf-8") else "undecodable",
            f"bytes that are not {encoding.upper()}; set feed.encoding if the file is in another",
            mended("".join(lines)),
        )
    # Missing cells at the end are empty; columns without a name are ignored.
    cells += [""] * (len(header) - len(cells))
    values = {column: cell for column, cell in zip(header, cells, strict=False) if column}
    if len(values) < len(header):
        values |= _repeated(header, cells)
    return Row(line, values)


def _repeated(header: list[str], cells: list[str]) -> dict[str, Any]:
    """The values of columns with the same name: a list if there are several."""
    by_column: dict[str, list[str]] = {}
    for column, cell in zip(header, cells, strict=False):
        if column:
            by_column.setdefault(column, []).append(cell)
    values: dict[str, Any] = {}
    for column, same in by_column.items():
        if len(same) > 1:
            said = list(dict.fromkeys(cell for cell in same if cell))
            values[column] = said if len(said) > 1 else "".join(said)
    return values


def _broken(line: int, text: str, problem: Exception) -> BadRow:
    if isinstance(problem, _TooLong) and len(text) >= MAX_ROW_BYTES:
        return BadRow(line, "too-long", f"a line of more than {MAX_ROW_BYTES:,} bytes")
    return BadRow(
        line,
        "broken-row",
        f"its quotes do not fit together ({problem}); see feed.quote and feed.escape",
        mended(text),
    )
