"""How a vendor writes its files: the mapping's ``[feed]`` table.

Everything but ``id`` has a default that is found in the file itself where that is safe.
"""

from __future__ import annotations

import codecs
from datetime import datetime
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

Format = Literal["csv", "tsv", "jsonl", "json", "xml", "parquet"]
Compression = Literal["none", "gzip", "bz2", "xz", "zstd", "zip"]
Column = Annotated[str, Field(min_length=1)]


def _known_encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
    except LookupError:
        raise ValueError(f"there is no encoding {name!r}") from None
    if not codec._is_text_encoding:
        raise ValueError(f"{name!r} does not encode text")
    return codec.name


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r}; IANA's names are Europe/Berlin"
        ) from None
    return name


def _date_format(text: str) -> str:
    if text in ("unix", "unix_ms"):
        return text
    moment = datetime(2026, 11, 25, 10, 30)
    try:
        read = datetime.strptime(moment.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no format of strptime: {error}") from None
    if read.date() != moment.date():
        raise ValueError(f"{text!r} says no date: it needs a year, a month and a day")
    return text


Encoding = Annotated[str, AfterValidator(_known_encoding)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class FillDown(_Table):
    """Rows of one product, of which only the first has the shared values."""

    group: Annotated[tuple[Column, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    """Rows with the same value here are one group; of several columns the first with a value."""
    columns: tuple[Column, ...] = ()
    """What a row that leaves these empty takes from the first row of its group."""
    collect: tuple[Column, ...] = ()
    """Columns whose values are collected into a list over consecutive rows of a group."""


class RowsWith(_Table):
    """Rows with one of some words at a path."""

    path: Column
    words: tuple[str, ...] = Field(min_length=1)
    """In any case; "" is no value."""


class Dialect(_Table):
    """The ``[feed]`` table."""

    id: Annotated[str, Field(min_length=1)]
    """JMESPath of the product's id in a row."""
    version: Annotated[str, Field(min_length=1)] | None = None
    """JMESPath of the row's version: a number or a time."""
    deleted: RowsWith | None = None
    """Rows that delete a product."""
    skip: RowsWith | None = None
    """Rows to skip: those with further pictures, or a style above its variants."""

    format: Format | None = None
    """None: by the file's name."""
    compression: Compression | None = None
    """None: by the file's first bytes."""
    encoding: Encoding | None = None
    """None: by the byte order mark, the XML declaration, else UTF-8."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """None: a comma, in .tsv files a tab."""
    quote: Annotated[str, Field(max_length=1)] | None = None
    """Empty: quotes are letters. None: `"`; in tab-separated files only around a whole cell."""
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Before a quote or delimiter that is a letter. None: a quote is doubled instead."""
    header_row: int = Field(1, ge=1)
    """Number of the line that names the columns; what stands above it is skipped."""
    columns: tuple[Column, ...] = ()
    """Names of the columns of a file without a line that names them."""
    fill_down: FillDown | None = None

    root: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()
    """JSON: dotted names that lead to the list of items, or several, of which the document has one;
    "" is the document itself, as the only item. Empty: the document is the list."""
    item: str | None = None
    """XML: name of the element that is an item. None: `item` of RSS, `entry` of Atom."""
    attributes: bool = False
    """XML: an element with attributes becomes {"@name": ..., "#text": ...}."""

    date_format: Annotated[str, AfterValidator(_date_format)] | None = None
    """Of versions and sale dates: as for strptime, `unix` (seconds) or `unix_ms`. None: ISO 8601
    and RFC 2822."""
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    """IANA name, of times that state no offset."""

    @model_validator(mode="after")
    def _header_or_columns(self) -> Self:
        if self.columns and self.header_row != 1:
            raise ValueError("columns are for files without a header: leave header_row out")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError("columns: a name stands twice")
        return self
