"""Map a packet's payload from the vendor's fields to the system's.

A packet is refused only for fields that the mapping requires. Whatever is wrong with another field
costs that field, not the product, and is noted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jmespath.exceptions import JMESPathError
from pydantic import ValidationError

from operators.catalog.describe import describe
from operators.catalog.field_rule import MappedField
from operators.catalog.field_values import LISTS, FieldReader
from operators.catalog.mapping import Mapping
from operators.catalog.notes import Note
from operators.catalog.paths import FieldPath
from operators.catalog.product_id import parse_product_id
from operators.catalog.sale import SALE_FIELDS, believe
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate

_BLANK = {name: field.get_default() for name, field in ProductUpdate.model_fields.items()}
_LONGEST_SHOWN = 80
"""Characters of a path in messages."""
_LONGEST_WORD = 60
"""Characters of a text that other rows are likely to say, too."""


@dataclass(frozen=True, slots=True)
class MappedUpdate:
    """A packet's update, and how values were cut, emptied or read leniently."""

    update: ProductUpdate
    notes: tuple[Note, ...]


def map_packet(packet: Packet, mapping: Mapping) -> MappedUpdate:
    """The update in ``packet``, an upsert or a patch.

    An upsert sets every field. A patch sets only the fields it contains (``model_fields_set``);
    null, an empty text or a null word resets a field to its default, a value that cannot be read
    leaves it as it was. Raises InvalidUpdate, whose message names vendor, field and path.
    """
    whole = packet.kind is PacketKind.UPSERT
    values, notes = _read_fields(_with_variant(packet, mapping, whole), mapping, whole)
    believe(values, lambda field, reason: notes.append(Note(field, reason)))
    if whole:
        given = {name: value for name, value in values.items() if value is not None}
        emptied = {note.field for note in notes if note.reason == "unknown-market"}
        values = {**_defaults(mapping), **dict.fromkeys(emptied), **given}
        for name in mapping.required:
            if values[name] in (None, "", ()):
                raise InvalidUpdate(
                    f"{_place(mapping, name)}: required, but missing", reason="missing-field"
                )
    update = _validate(mapping, values)
    return MappedUpdate(update, tuple(dict.fromkeys(notes)))


def _read_fields(
    payload: dict[str, Any], mapping: Mapping, whole: bool
) -> tuple[dict[str, Any], list[Note]]:
    """The values that the payload has, by field, and the notes about them."""
    values: dict[str, Any] = {}
    notes: list[Note] = []
    is_sale_read = True
    for name in mapping.fields if whole else _fields_said(payload, mapping):
        field = mapping.fields[name]
        try:
            found = _find(name, field, payload, whole)
            if found is not None:
                if isinstance(found, str) and len(found) <= _LONGEST_WORD:
                    values[name], word_notes = _read_word(name, field, mapping, found)
                    notes.extend(word_notes)
                else:
                    values[name] = FieldReader(name, field, mapping, notes).read(found)
        except InvalidUpdate as error:
            if name in mapping.required:
                message = f"{_place(mapping, name)}: {error}"
                raise InvalidUpdate(message, reason=error.reason) from error
            notes.append(Note(name, error.reason))
            is_sale_read = is_sale_read and name not in SALE_FIELDS
    if not is_sale_read:
        # A sale without its dates would never end.
        values = {name: value for name, value in values.items() if name not in SALE_FIELDS}
    return values, notes


def _fields_said(payload: dict[str, Any], mapping: Mapping) -> Iterable[str]:
    """The fields that the payload of a patch may say something about, in their order."""
    by_name = _fields_by_name(mapping)
    said = by_name[None].union(*(by_name[name] for name in payload if name in by_name))
    return said if len(said) < 2 else filter(said.__contains__, mapping.fields)


@lru_cache(1024)
def _fields_by_name(mapping: Mapping) -> dict[str | None, frozenset[str]]:
    """By a name in a payload, the fields that it may say something about; None: those that an empty
    payload may say something about, too."""
    fields: dict[str | None, set[str]] = {None: set()}
    for field, rule in mapping.fields.items():
        for name in _names_that_say(field, rule) or (None,):
            fields.setdefault(name, set()).add(field)
    return {name: frozenset(said) for name, said in fields.items()}


def _names_that_say(name: str, field: MappedField) -> frozenset[str] | None:
    """The names of a payload without which it says nothing about the field: most patches have few
    of them. None: unknown, or an empty payload says something."""
    names: set[str] = set()
    for path in field.paths:
        if path.roots is None:
            return None
        names |= path.roots
    try:
        return frozenset(names) if _find(name, field, {}, whole=False) is None else None
    except InvalidUpdate:
        return None


@lru_cache(16_384)
def _read_word(
    name: str, field: MappedField, mapping: Mapping, word: str
) -> tuple[object, tuple[Note, ...]]:
    """The value of a short text and the notes about it, remembered: a feed says the same few
    colours, sizes, prices and brands on most of its rows. Raises InvalidUpdate."""
    notes: list[Note] = []
    value = FieldReader(name, field, mapping, notes).read(word)
    return value, tuple(notes)


def _place(mapping: Mapping, name: str) -> str:
    paths = " or ".join(path.text for path in mapping.fields[name].paths)
    shown = paths if len(paths) <= _LONGEST_SHOWN else f"{paths[:_LONGEST_SHOWN]}..."
    return f"{mapping.vendor}: {name} (at {shown})"


def _with_variant(packet: Packet, mapping: Mapping, whole: bool) -> dict[str, Any]:
    """The payload; the packet's own item in a list of variants is added as ``variant``."""
    payload = packet.payload if whole else _nulls_as_empty(packet.payload)
    if mapping.variant_list is None or mapping.variant_id is None:
        return payload
    variants = mapping.variant_list.find(payload)
    if variants is None and not whole:
        return payload
    if not isinstance(variants, list):
        raise InvalidUpdate(
            f"{mapping.vendor}: {mapping.variant_list.text}: must be a list of variants, is "
            f"{describe(variants)}",
            reason="missing-variant",
        )
    for variant in variants:
        if isinstance(variant, dict) and _names(variant, mapping.variant_id, packet.product_id):
            return {**payload, "variant": variant}
    raise InvalidUpdate(
        f"{mapping.vendor}: {mapping.variant_list.text}: no variant with "
        f"{mapping.variant_id.text} {describe(packet.product_id)}",
        reason="missing-variant",
    )


def _names(variant: dict[str, Any], path: FieldPath, product_id: str) -> bool:
    try:
        return parse_product_id(path.find(variant)) == product_id
    except (InvalidUpdate, JMESPathError):
        return False


def _nulls_as_empty(value: Any) -> Any:
    """Replace null by an empty text, so that a patch can reset a field.

    JMESPath does not distinguish null from a missing field.
    """
    if value is None:
        return ""
    if isinstance(value, dict):
        return {name: _nulls_as_empty(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_nulls_as_empty(inner) for inner in value]
    return value


def _find(name: str, field: MappedField, payload: dict[str, Any], whole: bool) -> object:
    """The payload's value for the field; None when there is none.

    A list field collects all its paths. In a patch only if the first has a value: the second
    picture of a patch must not become the main one.
    """
    found: list[object] = []
    failure: JMESPathError | None = None
    is_list = name in LISTS
    is_only = len(field.paths) == 1
    for path in field.paths:
        try:
            value = path.find(payload)
        except JMESPathError as error:
            failure = failure or error
            value = None
        has_value = value is not None and value != "" and value != []
        if not is_list and has_value and (is_only or not field.says_nothing(value)):
            return value
        found.append(value)
    if failure is not None and all(value is None for value in found):
        raise InvalidUpdate(str(failure).splitlines()[0], reason="wrong-type") from failure
    if not is_list:
        null_word = next((value for value in found if value not in (None, "", [])), None)
        return null_word or ("" if "" in found else None)
    present = [value for value in found if value is not None]
    return present if present and (whole or found[0] is not None) else None


def _defaults(mapping: Mapping) -> dict[str, Any]:
    """The value of every field that an upsert leaves out."""
    return {
        **_BLANK,
        "market": mapping.market,
        "language": mapping.language,
        "size_system": mapping.size_system,
    }


def _validate(mapping: Mapping, values: dict[str, Any]) -> ProductUpdate:
    try:
        return ProductUpdate.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(step) for step in problem["loc"])
        raise InvalidUpdate(
            f"{mapping.vendor}: {where}: {problem['msg']}", reason="invalid-field"
        ) from error
