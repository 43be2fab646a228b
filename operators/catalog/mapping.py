"""A vendor's declarative mapping: which of its fields are which of ours. TOML, no code per vendor.

vendor = "zari"               # as in the packets; names the mapping
market = "IN"                 # where its items are sold
currency = "INR"              # leave out when every price states its own
language = "hi-Latn"          # BCP 47, of the texts
size_system = "UK"            # what a bare number means
required = ["title", "image_urls", "price"]   # without which an upsert is refused (default)

[price]
decimal = "."                 # the decimal mark in price texts
minor_units = false           # bare numbers count paise, cents or yen

[variant]                     # when one payload holds several items:
list = "variants"             # the list of them
id = "sku"                    # where the item's product_id stands; paths then say `variant.`

[fields]                      # our field -> JMESPath in the payload
title = "item_name"
image_urls = ["photo", "photo2"]                  # several: all of them, the first is the main one
brand = ["brand.name", "maker"]                   # several: the first that is given
colour_text = { path = "rang", table = "colour" } # and a table that translates its values

[tables.colour]
"slate/grey" = "grey"

[feed]                        # for files: where a row's id and version stand
id = "sku"
version = "updated_at"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import jmespath
from babel.numbers import is_currency
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from operators.catalog.price import DecimalMark
from operators.vocabulary.wordlist import normalise
from schemas.base import Market
from schemas.catalog import ProductUpdate, Vendor
from schemas.errors import Misconfigured
from schemas.money import Currency

Path_ = Annotated[str, Field(min_length=1)]
Value = str | int | bool
"""What a table translates to."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceNotation(_Table):
    """How a vendor writes prices."""

    decimal: DecimalMark = "."
    minor_units: bool = False


class Variants(_Table):
    """Where the items of a payload stand that holds several."""

    list: Path_
    id: Path_


class FeedColumns(_Table):
    """Where a row of a vendor's file says what it is about."""

    id: Path_
    version: Path_ | None = None


def _rule(value: object) -> object:
    """``"a.b"`` and ``["a.b", "c"]`` are short for ``{path = ...}``."""
    table = value if isinstance(value, dict) else {"path": value}
    paths = table.get("path")
    return {**table, "path": [paths] if isinstance(paths, str) else paths}


class FieldRule(_Table):
    """Where one of our fields comes from."""

    path: tuple[Path_, ...] = Field(min_length=1)
    table: str | None = None


class _File(_Table):
    vendor: Vendor
    market: Market | None = None
    currency: Currency | None = None
    language: str | None = None
    size_system: str | None = None
    required: tuple[str, ...] = ("title", "image_urls", "price")
    price: PriceNotation = PriceNotation()
    variant: Variants | None = None
    fields: dict[str, Annotated[FieldRule, BeforeValidator(_rule)]]
    tables: dict[str, dict[str, Value]] = Field(default_factory=dict)
    feed: FeedColumns | None = None


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A compiled JMESPath, and how it was written."""

    text: str
    compiled: Any

    def find(self, payload: object) -> object:
        """The value there; None when nothing is. Raises JMESPathError on a type it can't handle."""
        found: object = self.compiled.search(payload)
        return found


@dataclass(frozen=True, slots=True)
class MappedField:
    """One of our fields: where it stands and how its values translate."""

    paths: tuple[FieldPath, ...]
    table: MappingType[str, Value] | None

    def translate(self, value: object) -> object:
        """``value`` by the table; what the table doesn't name stays."""
        if self.table is None or isinstance(value, list | dict):
            return value
        return self.table.get(normalise(str(value)), value)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A vendor's mapping, checked and compiled."""

    vendor: str
    market: str | None
    currency: str | None
    language: str | None
    size_system: str | None
    required: tuple[str, ...]
    price: PriceNotation
    variant_list: FieldPath | None
    variant_id: FieldPath | None
    fields: MappingType[str, MappedField]
    feed_id: FieldPath | None
    feed_version: FieldPath | None

    @classmethod
    def load(cls, path: Path) -> Self:
        """The mapping of a TOML file. Raises Misconfigured, naming file, table and field."""
        try:
            file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(step) for step in problem["loc"])
            raise Misconfigured(f"{path}: {where}: {problem['msg']}") from error
        except (ValueError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error
        return cls._compiled(path, file)

    @classmethod
    def _compiled(cls, path: Path, file: _File) -> Self:
        if file.currency is not None and not is_currency(file.currency):
            raise Misconfigured(f"{path}: currency: {file.currency!r} is no ISO 4217 code")
        for name in (*file.fields, *file.required):
            if name not in ProductUpdate.model_fields:
                known = ", ".join(ProductUpdate.model_fields)
                raise Misconfigured(f"{path}: fields.{name}: no such field; there are {known}")
        for name in file.required:
            if name not in file.fields:
                raise Misconfigured(f"{path}: fields.{name}: required, but no path is given")
        variant, feed = file.variant, file.feed
        return cls(
            vendor=file.vendor,
            market=file.market,
            currency=file.currency,
            language=file.language,
            size_system=file.size_system,
            required=file.required,
            price=file.price,
            variant_list=_path(path, "variant.list", variant.list) if variant else None,
            variant_id=_path(path, "variant.id", variant.id) if variant else None,
            fields={
                name: MappedField(
                    tuple(_path(path, f"fields.{name}", text) for text in rule.path),
                    _table(path, name, rule, file.tables),
                )
                for name, rule in file.fields.items()
            },
            feed_id=_path(path, "feed.id", feed.id) if feed else None,
            feed_version=(
                _path(path, "feed.version", feed.version) if feed and feed.version else None
            ),
        )


SHIPPED = Path(__file__).with_name("mappings")
"""The mappings that come with the system."""


def load_mappings(folder: Path | None = None) -> dict[str, Mapping]:
    """Vendor -> mapping, of every TOML file in ``folder``; None: of the shipped ones.

    Raises Misconfigured when there is none, when one is wrong, or when two are of one vendor.
    """
    folder = folder or SHIPPED
    mappings: dict[str, Mapping] = {}
    for path in sorted(folder.glob("*.toml")):
        mapping = Mapping.load(path)
        if mapping.vendor in mappings:
            raise Misconfigured(f"{path}: vendor: {mapping.vendor!r} has another mapping already")
        mappings[mapping.vendor] = mapping
    if not mappings:
        raise Misconfigured(f"{folder}: there is no vendor mapping (*.toml) in this folder")
    return mappings


def _path(file: Path, where: str, text: str) -> FieldPath:
    try:
        return FieldPath(text, jmespath.compile(text))
    except JMESPathError as error:
        first_line = str(error).splitlines()[0]
        raise Misconfigured(f"{file}: {where}: {text!r} is no JMESPath: {first_line}") from error


def _table(
    file: Path, field: str, rule: FieldRule, tables: MappingType[str, MappingType[str, Value]]
) -> dict[str, Value] | None:
    if rule.table is None:
        return None
    if rule.table not in tables:
        raise Misconfigured(f"{file}: fields.{field}.table: there is no table tables.{rule.table}")
    return {normalise(word): value for word, value in tables[rule.table].items()}
