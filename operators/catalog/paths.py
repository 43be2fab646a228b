"""Paths into a vendor's payload: JMESPath, with shortcuts for plain names and for absent ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.visitor import TreeInterpreter

_INTERPRETER = TreeInterpreter()
"""Without state but for the methods it has looked up; a search makes a new one, and looks them up
again."""


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A compiled JMESPath and its text."""

    text: str
    compiled: Any
    names: tuple[str, ...] | None
    """Of a path that only goes from object to object (``style.brand."full name"``); such a path is
    looked up directly, 20 times as fast."""
    roots: frozenset[str] | None
    """The names that the path reads in the payload itself: without any of them, it finds what it
    finds in an empty payload. None: unknown."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Compile ``text``. Raises JMESPathError."""
        compiled = jmespath.compile(text)
        return cls(text, compiled, _plain_names(compiled.parsed), _roots(compiled.parsed))

    def find(self, payload: object) -> object:
        """The value at the path, None when there is none. Raises JMESPathError on a wrong type."""
        if self.names is None:
            try:
                found: object = _INTERPRETER.visit(self.compiled.parsed, payload)
            except JMESPathError:
                raise
            except (ArithmeticError, TypeError, ValueError) as error:
                raise JMESPathError(f"{self.text}: {error}") from error  # ceil() of NaN
            return found
        value = payload
        for name in self.names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value


def _plain_names(node: dict[str, Any]) -> tuple[str, ...] | None:
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression":
        return None
    steps = [_plain_names(child) for child in node["children"]]
    if None in steps:
        return None
    return tuple(name for step in steps if step is not None for name in step)


_OF_FIRST = frozenset(
    {
        "subexpression",
        "index_expression",
        "projection",
        "filter_projection",
        "value_projection",
        "flatten",
        "pipe",
    }
)
"""Nodes whose further children see only what the first one finds."""
_OF_ALL = frozenset(
    {
        "or_expression",
        "and_expression",
        "not_expression",
        "comparator",
        "multi_select_list",
        "multi_select_dict",
        "key_val_pair",
        "function_expression",
    }
)
"""Nodes whose children all see the same value."""


def _roots(node: dict[str, Any]) -> frozenset[str] | None:
    kind, children = node["type"], node["children"]
    if kind == "field":
        return frozenset((node["value"],))
    if kind == "literal":
        return frozenset()
    if kind in _OF_FIRST:
        return _roots(children[0])
    if kind not in _OF_ALL:
        return None
    read = [_roots(child) for child in children]
    known = [names for names in read if names is not None]
    return frozenset().union(*known) if len(known) == len(read) else None
