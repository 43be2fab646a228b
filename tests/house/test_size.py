"""Files have at most 300 lines and functions at most six parameters, or a reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.sources import ALL, files, parse, read

MOST_LINES = 300
MOST_PARAMETERS = 6
REASON = re.compile(r"^Longer than 300 lines: \S", re.MULTILINE)
"""In the docstring of a longer file."""

MORE_PARAMETERS = {
    ("services/cli/commands/top_level.py", "ingest"): "typer: one per argument and option",
    ("services/cli/commands/sandbox.py", "evaluate_demo"): "typer, too",
    ("services/cli/commands/looks.py", "send"): "typer, too",
    ("services/cli/commands/dead_letters.py", "replay_letters"): "typer, too",
    ("services/cli/commands/dead_letters.py", "discard_letters"): "typer, too",
}


def test_longer_files_state_a_reason() -> None:
    longer = {path for path in files(*ALL) if len(read(path).splitlines()) > MOST_LINES}
    stated = {path for path in longer if REASON.search(ast.get_docstring(parse(path)) or "")}
    assert longer - stated == set()


def test_functions_with_more_parameters_have_a_reason() -> None:
    found = {
        (path, function.name)
        for path in files(*ALL)
        for function in _functions(parse(path))
        if len(_parameters(function)) > MOST_PARAMETERS
    }
    assert found == MORE_PARAMETERS.keys()


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The names of all parameters but self and cls."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [rest for rest in (arguments.vararg, arguments.kwarg) if rest is not None]
    return [argument.arg for argument in every if argument.arg not in ("self", "cls")]
