"""Messages and logs say what happened, never which Python class was raised."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

import schemas.errors
from services.cli.app import app
from tests.house.sources import SHIPPED, files, parse

ALLOWED = {("schemas/dead_letters.py", "type(error).__name__"): "the header dlq-error_class"}
"""Expressions that need the name of an error's class, and what for."""

ERRORS = {
    name
    for module in (builtins, schemas.errors)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
CLASS_NAME = re.compile(rf"\b(?:{'|'.join(sorted(ERRORS))}|[A-Z]\w*(?:Error|Exception))\b")
RENDERED_AS_CLASS = frozenset({"KafkaError", "KafkaException", "ValidationError", "AioRpcError"})
"""Classes of libraries whose str() names the class itself, or one of ours."""


def faults(tree: ast.Module) -> list[str]:
    """Expressions in ``tree`` that show the class of an error, as source."""
    found: list[str] = []
    for node in ast.walk(tree):
        found += [
            ast.unparse(part) for name, kinds in _errors(node) for part in _shown(node, name, kinds)
        ]
    return found


def _errors(scope: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """The errors that ``scope`` names (a handler's, parameters, variables), with their classes."""
    match scope:
        case ast.ExceptHandler(type=ast.expr() as caught, name=str() as name):
            yield name, _names(caught)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            arguments = scope.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                if argument.annotation is not None:
                    kinds = _names(argument.annotation)
                    if any(CLASS_NAME.fullmatch(kind) for kind in kinds):
                        yield argument.arg, kinds
            for node in ast.walk(scope):
                match node:
                    case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                        if any(CLASS_NAME.fullmatch(kind) for kind in _names(annotation)):
                            yield name, _names(annotation)


def _names(node: ast.expr) -> set[str]:
    """The last names of ``a.B | (C, D)``."""
    found = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    return found | {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _shown(scope: ast.AST, name: str, kinds: set[str]) -> Iterator[ast.AST]:
    """The parts of ``scope`` that show the class of the error called ``name``."""
    for node in ast.walk(scope):
        match node:
            case ast.FormattedValue(
                value=ast.Name(id=shown) | ast.Subscript(value=ast.Name(id=shown)),
                conversion=conversion,
            ):
                if shown == name and (conversion == ord("r") or kinds & RENDERED_AS_CLASS):
                    yield node.value
            case ast.FormattedValue(value=ast.Subscript(value=ast.Attribute(attr="args"))):
                if kinds & RENDERED_AS_CLASS:
                    yield node.value
            case ast.Call(func=ast.Name(id="repr" | "str" as call), args=[ast.Name(id=shown)]):
                if shown == name and (call == "repr" or kinds & RENDERED_AS_CLASS):
                    yield node
            case ast.Attribute(attr="__name__" | "__qualname__", value=kind):
                if ast.unparse(kind) in (f"type({name})", f"{name}.__class__"):
                    yield node


def test_no_message_shows_the_class_of_an_error() -> None:
    found = {(path, fault) for path in files(*SHIPPED) for fault in faults(parse(path))}
    assert found == ALLOWED.keys()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("try: f()\nexcept OSError as error: raise X(f'{error!r}')", ["error"]),
        ("try: f()\nexcept OSError as error: raise X(f'{error}')", []),
        ("try: f()\nexcept OSError as e: log.error('no', why=repr(e))", ["repr(e)"]),
        ("try: f()\nexcept (A, a.ValidationError) as e: raise X(str(e))", ["str(e)"]),
        ("try: f()\nexcept KafkaException as e: raise X(f'{e.args[0]}')", ["e.args[0]"]),
        ("try: f()\nexcept KafkaException as e: raise X(f'{e.args[0].str()}')", []),
        ("def f(error: KafkaError | None): return f'{error}'", ["error"]),
        ("def f(error: Exception): return type(error).__name__", ["type(error).__name__"]),
        ("def f():\n  all: list[KafkaError] = []\n  return f'{all[0]}'", ["all[0]"]),
        ("def f(number: int): return f'{number!r}'", []),
    ],
)
def test_the_rule_finds_each_way_to_show_a_class(source: str, found: list[str]) -> None:
    assert faults(ast.parse(source)) == found


def test_no_text_names_the_class_of_an_error() -> None:
    texts = [(path, text) for path in files(*SHIPPED) for text in _texts(parse(path))]
    assert [(path, text) for path, text in texts if CLASS_NAME.search(text)] == []


def _texts(tree: ast.Module) -> Iterator[str]:
    """The string constants of ``tree`` that are not docstrings."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def test_no_help_text_names_the_class_of_an_error() -> None:
    texts = list(_help(typer.main.get_command(app)))
    assert len(texts) > 20
    assert [text for text in texts if CLASS_NAME.search(text)] == []


def _help(command: Any) -> Iterator[str]:
    yield command.help or ""
    for parameter in command.params:
        yield getattr(parameter, "help", None) or ""
    for below in getattr(command, "commands", {}).values():
        yield from _help(below)
