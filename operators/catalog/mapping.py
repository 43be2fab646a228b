"""A vendor's mapping from its fields to the system's: declarative TOML, no code per vendor.

vendor = "zari"               # as in the packets
market = "IN"                 # where its items are sold
currency = "INR"              # omit it when every price states its own
language = "hi-Latn"          # BCP 47 tag of the texts
size_system = "UK"            # the system of a bare number
required = ["title", "image_urls", "price"]   # an upsert without them is refused (default)

[price]
decimal = "."                 # the decimal mark in price texts
minor_units = false           # true: amounts are in paise, cents or yen

[variant]                     # only if a payload holds several items:
list = "variants"             # their list
id = "sku"                    # product_id within an item; [fields] paths can use `variant.`

[fields]                      # field of the system -> JMESPath in the payload
title = "item_name"
image_urls = ["photo", "photo2"]                  # a list field: all of them, main picture first
brand = ["brand.name", "maker"]                   # any other field: the first with a value
colour_text = { path = "rang", table = "colour" } # a table translates the values
size_texts = { path = "naap", split = "/" }       # several values in one text: a letter or a regex
url = { path = "link", prefix = "https://zari.example/" }   # before a relative URL
pattern_text = { path = "design", null = ["koi nahin"] }    # beside N/A, -, null, none, nan

[tables.colour]
"slate/grey" = "grey"

[feed]                        # for files: a row's id and version
id = "sku"
version = "updated_at"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from babel.numbers import is_currency
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operators.catalog.feeds.dialect import Dialect
from operators.catalog.field_rule import FieldRule, FilledText, MappedField, Value
from operators.catalog.path_faults import function_fault, syntax_hint
from operators.catalog.paths import FieldPath
from operators.catalog.price import DecimalMark
from operators.catalog.texts import NULL_WORDS
from operators.vocabulary.wordlist import normalise
from schemas.base import Market
from schemas.catalog import ProductUpdate, Vendor
from schemas.errors import Misconfigured
from schemas.money import Currency


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriceNotation(_Table):
    """How a vendor writes prices."""

    decimal: DecimalMark = "."
    minor_units: bool = False


class Variants(_Table):
    """Paths to the items in a payload that holds several."""

    list: FilledText
    id: FilledText


class MappingFile(_Table):
    """What a mapping file may say."""

    vendor: Vendor
    market: Market | None = None
    currency: Currency | None = None
    language: str | None = None
    size_system: str | None = None
    required: tuple[str, ...] = ("title", "image_urls", "price")
    price: PriceNotation = PriceNotation()
    variant: Variants | None = None
    fields: dict[str, FieldRule]
    tables: dict[str, dict[str, Value]] = Field(default_factory=dict)
    feed: Dialect | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A vendor's mapping, validated and compiled."""

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
    feed: Dialect | None
    feed_id: FieldPath | None
    feed_version: FieldPath | None
    feed_deleted: FieldPath | None
    feed_skip: FieldPath | None
    digest: str
    """Equal when two files say the same, comments aside."""

    def paths(self) -> Iterator[FieldPath]:
        """Every path in the mapping."""
        for field in self.fields.values():
            yield from field.paths
        own = (self.variant_list, self.variant_id, self.feed_id, self.feed_version)
        rows = (self.feed_deleted, self.feed_skip)
        yield from (path for path in (*own, *rows) if path is not None)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a TOML file. Raises Misconfigured; the message names file, table and field."""
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error
        return cls.of(content, path)

    @classmethod
    def of(cls, content: dict[str, Any], path: Path) -> Self:
        """Compile the ``content`` of the file ``path``. Raises Misconfigured like `load`."""
        try:
            file = MappingFile.model_validate(content)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(step) for step in problem["loc"])
            # The library's own message would name our classes.
            message = "must be a table" if problem["type"] == "model_type" else problem["msg"]
            raise Misconfigured(f"{path}: {where}: {message}") from error
        return cls._compile(path, file)

    @classmethod
    def _compile(cls, path: Path, file: MappingFile) -> Self:
        if file.currency is not None and not is_currency(file.currency):
            raise Misconfigured(f"{path}: currency: {file.currency!r} is not an ISO 4217 code")
        for name in (*file.fields, *file.required):
            if name not in ProductUpdate.model_fields:
                known = ", ".join(ProductUpdate.model_fields)
                raise Misconfigured(f"{path}: fields.{name}: no such field; the fields are {known}")
        for name in file.required:
            if name not in file.fields:
                raise Misconfigured(f"{path}: fields.{name}: required, but has no path")
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
                    rule.separator,
                    rule.prefix,
                    NULL_WORDS | {word.strip().casefold() for word in rule.null},
                )
                for name, rule in file.fields.items()
            },
            feed=feed,
            feed_id=_path(path, "feed.id", feed.id) if feed else None,
            feed_version=(
                _path(path, "feed.version", feed.version) if feed and feed.version else None
            ),
            feed_deleted=(
                _path(path, "feed.deleted.path", feed.deleted.path)
                if feed and feed.deleted
                else None
            ),
            feed_skip=(
                _path(path, "feed.skip.path", feed.skip.path) if feed and feed.skip else None
            ),
            digest=sha256(file.model_dump_json().encode()).hexdigest(),
        )


SHIPPED = Path(__file__).with_name("mappings")
"""The folder of the mappings that come with the system."""


def load_mappings(places: Path | Sequence[Path] | None = None) -> dict[str, Mapping]:
    """The shipped mappings and those in ``places``, files or folders, by vendor.

    One in ``places`` replaces a shipped one of the same vendor. Raises Misconfigured when one is
    invalid, a folder has none, or two in ``places`` have the same vendor.
    """
    own: dict[str, Mapping] = {}
    for place in (places,) if isinstance(places, Path) else places or ():
        for path in _mapping_files(place):
            mapping = Mapping.load(path)
            if mapping.vendor in own:
                raise Misconfigured(f"{path}: vendor: another file already maps {mapping.vendor!r}")
            own[mapping.vendor] = mapping
    shipped = (Mapping.load(path) for path in _mapping_files(SHIPPED))
    return {**{mapping.vendor: mapping for mapping in shipped}, **own}


def _mapping_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    files = sorted(place.glob("*.toml"))
    if not files:
        raise Misconfigured(f"{place}: this folder contains no vendor mapping (*.toml)")
    return files


def _path(file: Path, where: str, text: str) -> FieldPath:
    try:
        path = FieldPath.of(text)
    except JMESPathError as error:
        first_line = str(error).splitlines()[0]
        raise Misconfigured(
            f"{file}: {where}: {text!r} is not a JMESPath: {first_line}{syntax_hint(text)}"
        ) from error
    if fault := function_fault(path.compiled.parsed):
        raise Misconfigured(f"{file}: {where}: {text!r}: {fault}{syntax_hint(text)}")
    return path


def _table(
    file: Path, field: str, rule: FieldRule, tables: MappingType[str, MappingType[str, Value]]
) -> dict[str, Value] | None:
    if rule.table is None:
        return None
    if rule.table not in tables:
        raise Misconfigured(f"{file}: fields.{field}.table: there is no [tables.{rule.table}]")
    return {normalise(word): value for word, value in tables[rule.table].items()}
