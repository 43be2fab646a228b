"""What a model answers, and how an answer that is not quite that is still used.

Decoding is forced to the schemas below where the server can do it, so that what is left to repair
is mostly an answer cut off at its token limit. Nothing is ever made up: a layer or a number that
was not given is left out, and each repair is counted by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from operators.ports import LayerDescription
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import Unavailable

LONGEST_QUERY = 300
"""Characters; a longer query is no query, and is cut off."""

ATTRIBUTES = (
    *("category", "colour", "pattern", "second_colour"),
    *("fabric", "fit", "sleeve", "neckline", "length", "details"),
)
_READ_FROM_QUERY = ("category", "colour", "pattern")
"""Attributes that later stages compare with the products' own."""

_OBJECT = re.compile(r"\{.*", re.DOTALL)

Repaired = Callable[[str], None]
"""Is told the kind of each repair: truncated, invented-layer, repeated-layer, missing-query,
invented-number, repeated-number, missing-number."""


class DescribedLayer(BaseModel):
    """One layer of a look, as a model describes it."""

    model_config = ConfigDict(extra="forbid")

    layer: Department
    query: str = Field(max_length=LONGEST_QUERY)
    category: str | None = None
    colour: str | None = None
    pattern: str | None = None
    second_colour: str | None = None
    fabric: str | None = None
    fit: str | None = None
    sleeve: str | None = None
    neckline: str | None = None
    length: str | None = None
    details: str | None = None


class LookDescription(BaseModel):
    """What a model says of a look; its JSON Schema forces the decoding."""

    model_config = ConfigDict(extra="forbid")

    layers: list[DescribedLayer] = Field(max_length=len(Department))


class Order(BaseModel):
    """Numbers of the candidates from 1, the most alike first."""

    model_config = ConfigDict(extra="forbid")

    order: list[int]


class Reader:
    """Reads answers; one per model part."""

    def __init__(self, taxonomy: Taxonomy, repaired: Repaired) -> None:
        self._words = taxonomy.words
        self._repaired = repaired

    def description(self, answer: str) -> dict[Department, LayerDescription]:
        """Department -> description. Raises Unavailable when the answer holds no layers at all."""
        layers = self._object(answer).get("layers")
        if not isinstance(layers, list):
            raise _useless(answer)
        described: dict[Department, LayerDescription] = {}
        for layer in layers:
            department, query = _department(layer), _text(_get(layer, "query"))
            if department is None:
                self._repaired("invented-layer")
            elif department in described:
                self._repaired("repeated-layer")
            elif query is None:
                self._repaired("missing-query")
            else:
                described[department] = LayerDescription(query, self._attributes(layer, query))
        if layers and not described:
            raise _useless(answer)
        return described

    def order(self, answer: str, candidates: int) -> list[float | None]:
        """Per candidate 1 for the first down to 1 / candidates for the last; None where the answer
        does not name it. Raises Unavailable when it names none."""
        numbers = self._object(answer).get("order")
        scores: list[float | None] = [None] * candidates
        place = 0
        for number in numbers if isinstance(numbers, list) else []:
            if isinstance(number, bool) or number not in range(1, candidates + 1):
                self._repaired("invented-number")
            elif scores[number - 1] is not None:
                self._repaired("repeated-number")
            else:
                scores[number - 1] = 1.0 - place / candidates
                place += 1
        if place == 0:
            raise _useless(answer)
        for _ in range(candidates - place):
            self._repaired("missing-number")
        return scores

    def _object(self, answer: str) -> Mapping[str, Any]:
        """The first JSON object in the answer; one that was cut off keeps what is whole of it."""
        found = _OBJECT.search(answer)
        if found is None:
            raise _useless(answer)
        text = found.group().rstrip().removesuffix("```").rstrip()
        try:
            value = from_json(text)
        except ValueError:
            try:
                value = from_json(text, allow_partial=True)
            except ValueError:
                raise _useless(answer) from None
            self._repaired("truncated")
        if not isinstance(value, dict):
            raise _useless(answer)
        return value

    def _attributes(self, layer: Mapping[str, Any], query: str) -> dict[str, str]:
        """Those given; what is compared later in the taxonomy's words, else as the query says it,
        else not at all."""
        found = {name: text for name in ATTRIBUTES if (text := _text(layer.get(name)))}
        for name in _READ_FROM_QUERY:
            words = self._words[name]
            known = words.exact(found[name]) if name in found else None
            labels = [known] if known else words.find(query)
            if labels:
                found[name] = labels[-1] if name == "category" else labels[0]
            else:
                found.pop(name, None)
        return found


def _get(layer: Any, name: str) -> Any:
    return layer.get(name) if isinstance(layer, dict) else None


def _department(layer: Any) -> Department | None:
    name = _get(layer, "layer")
    return Department(name) if isinstance(name, str) and name in set(Department) else None


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return None
    return " ".join(value.split())[:LONGEST_QUERY]


def schema_of(answer: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema that forces the decoding."""
    return answer.model_json_schema()


def _useless(answer: str) -> Unavailable:
    shown = answer if len(answer) <= 80 else f"{answer[:80]}..."
    return Unavailable(f"the model's answer cannot be used: {shown!r}", reason="useless-answer")
