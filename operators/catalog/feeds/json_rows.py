"""Items of JSON Lines files and of JSON documents with a list."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from operators.catalog.feeds.dialect import Dialect
from operators.catalog.feeds.json_items import Item, json_items
from operators.catalog.feeds.rows import MAX_DEPTH, MAX_ROW_BYTES, BadRow, Row
from operators.catalog.feeds.text import decoded, encoding_of, is_undecodable, mended
from schemas.errors import InvalidFile


def json_lines_rows(
    name: str, stream: io.BufferedReader, dialect: Dialect
) -> Iterator[Row | BadRow]:
    """One object per line."""
    encoding = encoding_of(name, stream, dialect.encoding)
    with decoded(stream, encoding) as text:
        line = 0
        while read := text.readline(MAX_ROW_BYTES):
            line += 1
            if len(read) == MAX_ROW_BYTES and not read.endswith("\n"):
                while (more := text.readline(MAX_ROW_BYTES)) and not more.endswith("\n"):
                    pass
                yield BadRow(line, "too-long", f"a line of more than {MAX_ROW_BYTES:,} bytes")
            elif read.strip():
                yield _row_of_line(line, read, encoding)


def _row_of_line(line: int, text: str, encoding: str) -> Row | BadRow:
    if is_undecodable(text, encoding):
        reason = "not-utf-8" if encoding.startswith("utf-8") else "undecodable"
        message = f"bytes that are not {encoding.upper()}; set feed.encoding if it is another"
        return BadRow(line, reason, message, mended(text))
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        return _too_deep(line, text)
    except ValueError as error:
        return BadRow(line, "broken-row", f"not JSON: {error}", mended(text))
    return _row(line, values, text)


def json_list_rows(
    name: str, stream: io.BufferedReader, dialect: Dialect
) -> Iterator[Row | BadRow]:
    """The items of the list at ``root``, or of a document that is itself the list; ``line`` is the
    number of the item. Objects one after the other are items, too: many call JSON Lines .json.

    Raises InvalidFile where the document breaks: it cannot be read on from there.
    """
    encoding = encoding_of(name, stream, dialect.encoding)
    number = 0
    with decoded(stream, encoding) as text:
        items = json_items(name, text, dialect.root)
        if not dialect.root:
            items = _without_wrapping(name, items)
        for number, item in enumerate(items, start=1):
            if item.is_cut:
                yield BadRow(number, "too-long", f"more than {MAX_ROW_BYTES:,} characters")
            else:
                yield _row_of_line(number, item.text, encoding)
    if number == 0:
        raise _no_items(name, " or ".join(f"feed.root = {root!r}" for root in dialect.root))


def _without_wrapping(name: str, items: Iterator[Item]) -> Iterator[Item]:
    """``items``, unless they are one document with lists in it: one of these is meant."""
    first = next(items, None)
    if first is None:
        return
    try:
        second = next(items, None)
    except InvalidFile:
        yield first
        raise
    if second is None and first.is_document:
        lists = re.findall(r'"([^"\\]+)"\s*:\s*\[\s*\{', first.text)
        if first.is_cut or lists:
            meant = f"; set feed.root, perhaps to {lists[0]!r}" if lists else "; set feed.root"
            raise _no_items(name, f"the top{meant}")
    yield first
    if second is not None:
        yield second
    yield from items


def _no_items(name: str, where: str) -> InvalidFile:
    return InvalidFile(
        f"{name}: there is no list with items at {where or 'the top'}", reason="no-items"
    )


def _row(line: int, values: object, text: str) -> Row | BadRow:
    if not isinstance(values, dict):
        return BadRow(
            line, "broken-row", f"not a JSON object, but {type(values).__name__}", mended(text)
        )
    if not is_shallow(values):
        return _too_deep(line, text)
    return Row(line, repaired(values))


def _too_deep(line: int, text: str) -> BadRow:
    return BadRow(line, "too-deep", f"nested more than {MAX_DEPTH} levels deep", mended(text))


def is_shallow(value: object, levels: int = MAX_DEPTH) -> bool:
    """Whether lists and objects in ``value`` are nested at most ``levels`` deep."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(is_shallow(one, levels - 1) for one in inner)


def repaired(value: Any) -> Any:
    """``value`` with U+FFFD for lone surrogates, which JSON can state and UTF-8 cannot."""
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, dict):
        return {mended(name): repaired(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [repaired(inner) for inner in value]
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
