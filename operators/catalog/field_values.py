"""Convert what a payload says for one field to the field's type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from operators.catalog.describe import describe
from operators.catalog.feeds.times import parse_sale_date
from operators.catalog.field_rule import MappedField
from operators.catalog.mapping import Mapping
from operators.catalog.market_words import parse_market
from operators.catalog.notes import Note
from operators.catalog.picture_urls import clean_url, split_urls
from operators.catalog.price import parse_price
from operators.catalog.stock import parse_availability, parse_stock
from operators.catalog.texts import is_null, plain_text
from schemas.catalog import ProductUpdate
from schemas.errors import InvalidUpdate

LISTS = frozenset({"image_urls", "size_texts"})
_MOST_IN_A_LIST = 50
_MOST_READ = 200
"""Values of a list that are looked at for those that are taken."""
_LONGEST_CELL = 100_000
_PATHS = frozenset({"category_text", "colour_text", "pattern_text", "gender_text"})
"""Fields whose lists are kept whole, as steps of a path."""
_NAMES = frozenset({"style_id", "size_system", "language"})
"""Texts that stand for something: cut, they would stand for something else."""
_LONGEST_NAME = 300
_LONGEST: dict[str, int] = {
    name: limit.max_length
    for name, field in ProductUpdate.model_fields.items()
    for limit in field.metadata
    if hasattr(limit, "max_length")
}


@dataclass(slots=True)
class FieldReader:
    """Converts the values of one field of a mapping."""

    name: str
    field: MappedField
    mapping: Mapping
    notes: list[Note]
    """Takes what was cut, emptied or read leniently."""

    def read(self, found: object) -> object:
        """The field's value; its default where ``found`` says that there is none.

        Raises InvalidUpdate when ``found`` cannot be read.
        """
        if self.name in LISTS:
            return self._list(found)
        value = self._single(found)
        if isinstance(value, str) and not value.strip():
            return ProductUpdate.model_fields[self.name].get_default()
        return _READERS.get(self.name, FieldReader._text)(self, value)

    def note(self, reason: str) -> None:
        """Note why the value could not be taken as it stands."""
        self.notes.append(Note(self.name, reason))

    def _single(self, found: object) -> object:
        """The value, by the mapping's table and null words; of several the first."""
        if not isinstance(found, list):
            return self._known(found if self.field.split is None else self._pieces(found)[0])
        if len(found) > _MOST_READ:
            self.note("too-many")
        looked_at = found[:_MOST_READ]
        values = [self._known(piece) for one in looked_at for piece in self._pieces(one)]
        given = [value for value in values if value is not None and value != ""]
        if self.name in _PATHS:
            return given[:_MOST_IN_A_LIST]
        if len(given) > 1 and any(value != given[0] for value in given):
            if self.name not in _READ_AS_TEXT:
                raise InvalidUpdate("has several values", reason="several-values")
            self.note("several-values")
        return given[0] if given else ""

    def _pieces(self, value: object) -> list[object]:
        if self.field.split is None or not isinstance(value, str):
            return [value]
        pieces: list[object] = [piece for piece in self.field.split.split(value) if piece.strip()]
        return pieces or [""]

    def _known(self, value: object) -> object:
        translated = value if self.field.table is None else self.field.translate(value)
        if translated is not value or not isinstance(value, str):
            return translated  # a table wins over null words
        if not is_null(value, self.field.null):
            return value
        if value.strip():
            self.note("null-word")
        return ""

    def _price(self, value: object) -> object:
        notation = self.mapping.price
        return parse_price(
            value, self.mapping.currency, notation.decimal, minor_units=notation.minor_units
        )

    def _stock(self, value: object) -> object:
        stock, reason = parse_stock(value, self.mapping.price.decimal)
        if reason is not None:
            self.note(reason)
        return stock

    def _availability(self, value: object) -> object:
        return parse_availability(value)

    def _market(self, value: object) -> object:
        return parse_market(self._plain(value))

    def _sale_date(self, value: object) -> object:
        feed = self.mapping.feed
        return parse_sale_date(
            value,
            feed.date_format if feed else None,
            feed.time_zone if feed else None,
            ends=self.name == "sale_until",
        )

    def _url(self, value: object) -> object:
        if not isinstance(value, str):
            raise InvalidUpdate(f"must be a URL, is {describe(value)}", reason="wrong-type")
        url = clean_url(value, self.field.prefix)
        if url and not url.lower().startswith(("https://", "http://")):
            raise InvalidUpdate(f"{url[:40]!r} is no page", reason="wrong-scheme")
        return url or None

    def _text(self, value: object) -> object:
        text = self._joined(value) if isinstance(value, list) else self._plain(value)
        if self.name == "category_text" and ">" in text:
            steps = (str(self._known(step.strip())) for step in text.split(">"))
            text = " > ".join(step for step in steps if step)
        longest = _LONGEST.get(self.name, _LONGEST_NAME)
        if len(text) <= longest:
            return text
        if self.name in _NAMES:
            raise InvalidUpdate(
                f"{len(text)} characters, at most {longest} are allowed", reason="too-long"
            )
        self.note("cut")
        return text[:longest].rstrip()

    def _joined(self, value: list[object]) -> str:
        return " > ".join(text for text in map(self._plain, value) if text)

    def _plain(self, value: object) -> str:
        text, repaired = plain_text(value)
        if repaired:
            self.note("invalid-characters")
        return text

    def _list(self, found: object) -> tuple[str, ...]:
        texts: dict[str, None] = {}
        first_error: InvalidUpdate | None = None
        for number, piece in enumerate(self._list_pieces(found)):
            try:
                text = self._element(piece)
                if text:
                    texts[text] = None
            except InvalidUpdate as error:
                first_error = first_error or error
                self.note(error.reason)
            if len(texts) > _MOST_IN_A_LIST or number >= _MOST_READ:
                self.note("too-many")
                return tuple(texts)[:_MOST_IN_A_LIST]
        if not texts and first_error is not None:
            raise first_error
        return tuple(texts)

    def _list_pieces(self, found: object) -> Iterator[object]:
        for value in _flat(found):
            for piece in self._pieces(value):
                if self.name == "image_urls" and isinstance(piece, str):
                    yield from split_urls(piece[:_LONGEST_CELL])
                else:
                    yield piece

    def _element(self, piece: object) -> str:
        known = self._known(piece)
        if known is None or known == "":
            return ""
        if self.name == "image_urls":
            if not isinstance(known, str):
                raise InvalidUpdate(f"must be a URL, is {describe(known)}", reason="wrong-type")
            return clean_url(known, self.field.prefix)
        text = self._plain(known)
        if len(text) > _LONGEST_NAME:
            raise InvalidUpdate("a size has too many characters", reason="too-long")
        return text


_READERS: dict[str, Callable[[FieldReader, object], object]] = {
    "price": FieldReader._price,
    "list_price": FieldReader._price,
    "sale_price": FieldReader._price,
    "sale_from": FieldReader._sale_date,
    "sale_until": FieldReader._sale_date,
    "stock": FieldReader._stock,
    "available": FieldReader._availability,
    "market": FieldReader._market,
    "url": FieldReader._url,
}
_READ_AS_TEXT = ProductUpdate.model_fields.keys() - _READERS.keys() | {"url"}


def _flat(found: object) -> Iterator[object]:
    """The values in a list of values and lists of values."""
    if not isinstance(found, list):
        yield found
        return
    for value in found:
        if isinstance(value, list):
            yield from value
        else:
            yield value
