"""Parses a model's answers and repairs those that do not quite match their schema.

Servers that can constrain decoding do so with the schemas below; the usual repair is then an answer
cut off at its token limit. Repairs never invent content: a missing layer or number is left out.
Each repair is reported by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from operators.ports import LayerDescription
from operators.vocabulary.language import AttributeName
from operators.vocabulary.taxonomy import PLAIN, Taxonomy
from operators.vocabulary.wordlist import normalise
from schemas.attributes import Department
from schemas.errors import Unavailable
from schemas.looks import Region

BOX_UNITS = 1000
"""A box's coordinates are counted in these parts of the picture's width or height."""

LONGEST_QUERY = 300
"""Characters; the rest of a longer query is dropped."""

ATTRIBUTES = (
    *("category", "colour", "pattern", "second_colour"),
    *("fabric", "fit", "sleeve", "neckline", "length", "details"),
)
_READ_FROM_QUERY: tuple[AttributeName, ...] = ("category", "colour", "pattern")
"""Attributes that later stages compare with those of the products."""

_OBJECT = re.compile(r"\{.*", re.DOTALL)

OnRepair = Callable[[str], None]
"""Called with the kind of each repair: truncated, invented-layer, repeated-layer, misplaced-layer,
missing-query, invalid-box, invented-number, repeated-number, missing-number."""


class DescribedLayer(BaseModel):
    """A model's description of one layer of a look."""

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


class LocatedLayer(DescribedLayer):
    """A description that also says where the layer is."""

    box: list[int] = Field(
        min_length=4,
        max_length=4,
        description="Left, top, right, bottom: 0 to 1000 of the first picture's width or height.",
    )


class LookDescription(BaseModel):
    """A model's description of a look; its JSON Schema constrains the decoding."""

    model_config = ConfigDict(extra="forbid")

    layers: list[DescribedLayer] = Field(max_length=len(Department))


class LocatedLookDescription(BaseModel):
    """The same, of a model that is asked for boxes."""

    model_config = ConfigDict(extra="forbid")

    layers: list[LocatedLayer] = Field(max_length=len(Department))


def description_type(*, boxes: bool) -> type[BaseModel]:
    """The answer to ask for; ``boxes``: whether the prompt asks where the layers are."""
    return LocatedLookDescription if boxes else LookDescription


class Order(BaseModel):
    """Candidate numbers, starting at 1, the most similar first."""

    model_config = ConfigDict(extra="forbid")

    order: list[int]


class AnswerParser:
    """Parses answers, and reports every repair to ``on_repair``."""

    def __init__(self, taxonomy: Taxonomy, on_repair: OnRepair) -> None:
        self._words = taxonomy.words
        self._categories = taxonomy.categories
        self._on_repair = on_repair

    def parse_description(self, answer: str) -> dict[Department, LayerDescription]:
        """Department -> description. A layer whose category belongs to another department (shorts
        named as headwear) goes there, if nothing else does: products are searched by department.

        Raises Unavailable if no layer of the answer is usable.
        """
        layers = self._parse_object(answer).get("layers")
        if not isinstance(layers, list):
            raise _unusable(answer)
        described: dict[Department, LayerDescription] = {}
        misplaced: list[tuple[Department, LayerDescription]] = []
        for layer in layers:
            department, query = _department(layer), _text(_get(layer, "query"))
            if department is None:
                self._on_repair("invented-layer")
            elif department in described:
                self._on_repair("repeated-layer")
            elif query is None:
                self._on_repair("missing-query")
            else:
                attributes = self._attributes(layer, query)
                description = LayerDescription(query, attributes, self._region(layer))
                own = self._department_of(description) or department
                if own is department:
                    described[department] = description
                else:
                    misplaced.append((own, description))
        for department, description in misplaced:
            self._on_repair("misplaced-layer")
            described.setdefault(department, description)
        if layers and not described:
            raise _unusable(answer)
        return described

    def parse_order(self, answer: str, candidates: int) -> list[float | None]:
        """Scores by candidate: 1 for the first of the order, 1 / ``candidates`` for the last, None
        for a candidate that the answer omits. Raises Unavailable if it names no candidate."""
        numbers = self._parse_object(answer).get("order")
        scores: list[float | None] = [None] * candidates
        rank = 0
        for number in numbers if isinstance(numbers, list) else []:
            if type(number) is not int or number not in range(1, candidates + 1):
                self._on_repair("invented-number")
            elif scores[number - 1] is not None:
                self._on_repair("repeated-number")
            else:
                scores[number - 1] = 1.0 - rank / candidates
                rank += 1
        if rank == 0:
            raise _unusable(answer)
        for _ in range(candidates - rank):
            self._on_repair("missing-number")
        return scores

    def _parse_object(self, answer: str) -> Mapping[str, Any]:
        """The first JSON object in the answer; of a truncated one, its complete items."""
        found = _OBJECT.search(answer)
        if found is None:
            raise _unusable(answer)
        text = found.group().rstrip().removesuffix("```").rstrip()
        try:
            value = from_json(text)
        except ValueError:
            try:
                value = from_json(text, allow_partial=True)
            except ValueError:
                raise _unusable(answer) from None
            self._on_repair("truncated")
        if not isinstance(value, dict):
            raise _unusable(answer)
        return value

    def _region(self, layer: Mapping[str, Any]) -> Region | None:
        """The layer's box as a region; None without a box, or with one that is not in the picture.

        Coordinates are thousandths of the picture's sides, as Qwen3-VL was trained to answer.
        """
        box = layer.get("box")
        if box is None:
            return None
        if isinstance(box, list) and len(box) == 4 and all(type(v) is int for v in box):
            x0, y0, x1, y1 = (v / BOX_UNITS for v in box)
            if 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1:
                return Region(x0=x0, y0=y0, x1=x1, y1=y1)
        self._on_repair("invalid-box")
        return None

    def _department_of(self, description: LayerDescription) -> Department | None:
        category = self._categories.get(description.attributes.get("category", ""))
        return category.department if category else None

    def _attributes(self, layer: Mapping[str, Any], query: str) -> dict[str, str]:
        """The layer's attributes. Those in _READ_FROM_QUERY are the taxonomy's labels, taken from
        the layer's own value or else from the query, and left out if neither has one. So is the
        second colour, which only a pattern has."""
        found = {name: text for name in ATTRIBUTES if (text := _text(layer.get(name)))}
        colours = self._words["colour"]
        for name in _READ_FROM_QUERY:
            words = self._words[name]
            known = words.exact(normalise(found[name])) if name in found else None
            labels = [known] if known else words.find(normalise(query))
            if labels:
                found[name] = labels[-1] if name == "category" else labels[0]
            else:
                found.pop(name, None)
        stated = found.pop("second_colour", "")
        if found.get("pattern", PLAIN) != PLAIN:
            named = (colours.exact(normalise(stated)), *colours.find(normalise(query)))
            others = [colour for colour in named if colour and colour != found.get("colour")]
            if others:
                found["second_colour"] = others[0]
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
    """The JSON Schema that constrains the decoding."""
    return answer.model_json_schema()


def _unusable(answer: str) -> Unavailable:
    shown = answer if len(answer) <= 80 else f"{answer[:80]}..."
    return Unavailable(f"the model's answer cannot be used: {shown!r}", reason="useless-answer")
