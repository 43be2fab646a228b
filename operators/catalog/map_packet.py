"""A packet's payload, as the vendor has it -> an update in our fields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from jmespath.exceptions import JMESPathError
from pydantic import ValidationError

from operators.catalog.mapping import MappedField, Mapping
from operators.catalog.price import parse_price
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate
from schemas.money import Money

_LISTS = frozenset({"image_urls", "size_texts"})
_PRICES = frozenset({"price", "list_price"})
_MOST_IN_A_LIST = 50
_LONGEST_TEXT = 20_000
_LONGEST_URL = 4000
_BETWEEN_URLS = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_YES = frozenset({"true", "yes", "y", "1"})
_NO = frozenset({"false", "no", "n", "0"})


def map_packet(packet: Packet, mapping: Mapping) -> ProductUpdate:
    """The update in ``packet``, an upsert or a patch.

    Of a patch only the fields it gives are set (``model_fields_set``); a field given as null or as
    an empty text is set to its default. Of an upsert every field is set. Raises InvalidUpdate,
    naming vendor, field and path.
    """
    whole = packet.kind is PacketKind.UPSERT
    payload = _with_variant(packet, mapping, whole)
    values: dict[str, Any] = {}
    for name, field in mapping.fields.items():
        try:
            found = _find(name, field, payload)
            if found is not None:
                values[name] = _convert(name, field, found, mapping)
        except InvalidUpdate as error:
            paths = " or ".join(path.text for path in field.paths)
            raise InvalidUpdate(
                f"{mapping.vendor}: {name} (at {paths}): {error}", reason=error.reason
            ) from error
    if whole:
        values = {**_defaults(mapping), **{k: v for k, v in values.items() if v is not None}}
        for name in mapping.required:
            if not values.get(name) and not isinstance(values.get(name), Money):
                paths = " or ".join(path.text for path in mapping.fields[name].paths)
                raise InvalidUpdate(
                    f"{mapping.vendor}: {name} (at {paths}): required, and not given",
                    reason="missing-field",
                )
    return _validated(mapping, values)


def _with_variant(packet: Packet, mapping: Mapping, whole: bool) -> dict[str, Any]:
    """The payload, with the packet's own item of a list of variants as ``variant``."""
    payload = packet.payload if whole else _nulls_as_empty(packet.payload)
    if mapping.variant_list is None or mapping.variant_id is None:
        return payload
    variants = mapping.variant_list.find(payload)
    if variants is None and not whole:
        return payload
    if not isinstance(variants, list):
        raise InvalidUpdate(
            f"{mapping.vendor}: {mapping.variant_list.text} is no list of variants",
            reason="missing-variant",
        )
    for variant in variants:
        if isinstance(variant, dict) and str(mapping.variant_id.find(variant)) == packet.product_id:
            return {**payload, "variant": variant}
    raise InvalidUpdate(
        f"{mapping.vendor}: no variant has {mapping.variant_id.text} {packet.product_id[:80]!r}",
        reason="missing-variant",
    )


def _nulls_as_empty(value: Any) -> Any:
    """Null as an empty text, so that a patch can take a field away (JMESPath can't tell null)."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return {name: _nulls_as_empty(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_nulls_as_empty(inner) for inner in value]
    return value


def _find(name: str, field: MappedField, payload: dict[str, Any]) -> object:
    """What the payload gives for the field; None when it gives nothing.

    Of a list field every path counts, but only together with the first: a patch that brings
    nothing but a second picture must not become the main one.
    """
    try:
        found = [path.find(payload) for path in field.paths]
    except JMESPathError as error:
        raise InvalidUpdate(str(error).splitlines()[0], reason="wrong-type") from error
    if name not in _LISTS:
        given = [value for value in found if value is not None and value != []]
        return next((value for value in given if value != ""), given[0] if given else None)
    return None if found[0] is None else [value for value in found if value is not None]


def _convert(name: str, field: MappedField, found: object, mapping: Mapping) -> object:
    value = field.translate(found)
    if name in _LISTS:
        return _texts(name, value, field)
    if isinstance(value, str) and not value.strip():
        return ProductUpdate.model_fields[name].get_default()
    if name in _PRICES:
        notation = mapping.price
        return parse_price(
            value, mapping.currency, notation.decimal, minor_units=notation.minor_units
        )
    if name == "stock":
        return _pieces(value)
    if name == "available":
        return _yes_or_no(value)
    if isinstance(value, list):
        return " > ".join(_text(field.translate(part)) for part in _short(value))
    text = _text(value)
    if name == "category_text" and ">" in text:
        steps = (str(field.translate(part.strip())) for part in text.split(">"))
        return " > ".join(step for step in steps if step)
    return text


def _texts(name: str, value: object, field: MappedField) -> tuple[str, ...]:
    found: list[str] = []
    for part in _short(value if isinstance(value, list) else [value]):
        inner = _short(part) if isinstance(part, list) else [part]
        texts = [_text(field.translate(one)) for one in inner]
        if name == "image_urls":
            texts = [url for text in texts for url in _BETWEEN_URLS.split(text)]
        found.extend(text for text in texts if text)
    if any(len(text) > _LONGEST_URL for text in found):
        raise InvalidUpdate(f"longer than {_LONGEST_URL} characters", reason="too-long")
    return tuple(dict.fromkeys(_short(found)))


def _short(values: list[Any]) -> list[Any]:
    if len(values) > _MOST_IN_A_LIST:
        raise InvalidUpdate(
            f"a list of {len(values)}, more than {_MOST_IN_A_LIST}", reason="too-long"
        )
    return values


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidUpdate(f"a text, not {type(value).__name__}", reason="wrong-type")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidUpdate(f"a text, not {value}", reason="wrong-type")
    if isinstance(value, int) and abs(value) >= 10**100:
        raise InvalidUpdate("a number of more than 100 digits", reason="too-long")
    text = str(value)
    if len(text) > _LONGEST_TEXT:
        raise InvalidUpdate(f"a text of {len(text)} characters", reason="too-long")
    if any(0xD800 <= ord(letter) <= 0xDFFF or letter == "\0" for letter in text):
        raise InvalidUpdate("a text with characters that are none", reason="wrong-type")
    return " ".join(text.split())


def _pieces(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,12}(?:\.0+)?", value.strip()):
        value = int(float(value))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**9:
        raise InvalidUpdate(f"{_shown(value)} is no number of pieces", reason="invalid-stock")
    return value


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold() if isinstance(value, str | int) else ""
    if word in _YES or word in _NO:
        return word in _YES
    raise InvalidUpdate(f"{_shown(value)} is no availability word", reason="unknown-value")


def _shown(value: object) -> str:
    show: Callable[[object], str] = repr if isinstance(value, str | float) else _kind
    return show(value)[:80]


def _kind(value: object) -> str:
    return str(value) if isinstance(value, int) and abs(value) < 10**20 else type(value).__name__


def _defaults(mapping: Mapping) -> dict[str, Any]:
    """Every field as an upsert that gives none has it."""
    blank = {name: field.get_default() for name, field in ProductUpdate.model_fields.items()}
    return {
        **blank,
        "market": mapping.market,
        "language": mapping.language,
        "size_system": mapping.size_system,
    }


def _validated(mapping: Mapping, values: dict[str, Any]) -> ProductUpdate:
    try:
        return ProductUpdate.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(step) for step in problem["loc"])
        raise InvalidUpdate(
            f"{mapping.vendor}: {where}: {problem['msg']}", reason="invalid-field"
        ) from error
