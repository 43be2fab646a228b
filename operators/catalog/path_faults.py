"""Common mistakes in a mapping's JMESPath expressions, explained in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any

from jmespath.functions import Functions

_FUNCTIONS: dict[str, Any] = Functions.FUNCTION_TABLE


def syntax_hint(text: str) -> str:
    """What the invalid expression ``text`` probably means; "" when that is not clear."""
    quoted = re.search("[\"'`]", text) is not None
    if not quoted and (re.fullmatch(r"[\w-]+", text) or re.search(r"[^\w.\[\]*@|&?:,{}()-]", text)):
        return f"; if that is one name, quote it within the quotes: '\"{text.strip()}\"'"
    return ""


def function_fault(parsed: dict[str, Any]) -> str | None:
    """A function in the path that does not exist, or has another number of arguments."""
    for node in _nodes(parsed):
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        if name not in _FUNCTIONS:
            near = get_close_matches(name, _FUNCTIONS, n=1, cutoff=0.5)
            meant = f"did you mean {near[0]}? " if near else ""
            return (
                f"there is no function {name}(); {meant}There are {', '.join(sorted(_FUNCTIONS))}"
            )
        signature = _FUNCTIONS[name]["signature"]
        variadic = bool(signature) and bool(signature[-1].get("variadic"))
        if given < len(signature) or (given > len(signature) and not variadic):
            return f"{name}() takes {len(signature)} arguments, not {given}"
    return None


def text_fault(parsed: dict[str, Any], names: Collection[str]) -> str | None:
    """A quoted name that JMESPath takes for a constant text."""
    for node in _alternatives(parsed):
        if node["type"] == "literal" and isinstance(node["value"], str):
            value = node["value"]
            near = closest(value, names)
            if near is not None:
                return f"'{value}' is a text, the same in every row; the column is {_as_path(near)}"
    return None


def closest(name: str, names: Collection[str]) -> str | None:
    """The most similar name in the file; None without a similar one."""
    folded = {other.casefold(): other for other in names}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.75)
    return folded[near[0]] if near else None


def _as_path(name: str) -> str:
    """``name`` as a path in a mapping."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)
    return f'"{name}"' if plain else f"'\"{name}\"'"


def _alternatives(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if node["type"] == "or_expression":
        for child in node["children"]:
            yield from _alternatives(child)
    else:
        yield node


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _nodes(child)
