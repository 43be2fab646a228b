"""Mutants of a source file: each is the file with one expression or statement replaced."""

import ast
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}

TUNING: Mapping[str, str] = {
    "queued.min.messages": "read-ahead: speed and memory",
    "queued.max.messages.kbytes": "read-ahead: speed and memory",
    "fetch.queue.backoff.ms": "read-ahead: speed and memory",
    "linger.ms": "batching of produced records: speed",
    "reconnect.backoff.max.ms": "pause between connection attempts",
    "socket.keepalive.enable": "detects dead connections; requests have timeouts of their own",
    "enable.metrics.push": "metrics of the client library",
    "log_level": "what the client library logs",
    "BATCH": "records per call of the engine: speed",
    "CHUNK": "records per request: speed",
    "IDLE": "pause between polls",
    "_LONG_PAYLOAD": "which payloads are mapped on another thread: speed",
    "CONSUME_SECONDS": "how long one poll lasts, within a loop that has a timeout of its own",
    "CACHED_CAPTIONS": "how many are kept: speed and memory",
    "sleep": "pause between attempts",
    "poll": "how long one poll lasts, within a loop that has a timeout of its own",
    "one_piece": "default weights are guesses; a fitted calibration replaces them",
    "presence": "default weights are guesses; a fitted calibration replaces them",
    "same_item": "default weights are guesses; a fitted calibration replaces them",
}
"""Names and keys whose values are tuning, not promises, and why: no test should pin them."""

_NOT_BEHAVIOUR = frozenset({"strict", "description", "daemon"})
"""Keyword arguments that only guard against mistakes, document, or matter when a process exits."""

_SMALL = 3
"""Smaller numbers are counts and signs, which mutate by one; others by a factor of ten."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """``source`` with the bytes ``start`` to ``end`` replaced by ``text``."""

    path: Path
    source: bytes
    start: int
    end: int
    text: str

    @property
    def mutated(self) -> bytes:
        return self.source[: self.start] + self.text.encode() + self.source[self.end :]

    def diff(self) -> str:
        """Show the mutation as a unified diff without context."""
        before, after = self.source.decode(), self.mutated.decode()
        name = str(self.path)
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), name, name, lineterm="", n=0
        )
        return "\n".join(lines)


def list_mutants(path: Path, name: Path) -> list[Mutant]:
    """Return every mutant of the file at ``path``, in source order; ``name`` is shown in diffs.

    Strings are never mutated. Log lines, error messages, annotations, docstrings, decorators of
    data classes, protocols and TUNING are skipped, because no test should pin them.
    """
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _walk(ast.parse(source)):
        for target, text in _replacements(node):
            assert target.end_lineno is not None
            assert target.end_col_offset is not None
            start = starts[target.lineno - 1] + target.col_offset
            end = starts[target.end_lineno - 1] + target.end_col_offset
            found.append(Mutant(name, source, start, end, text))
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.text))


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in _children(node):
        if isinstance(child, ast.AST) and not _is_skipped(child):
            yield from _walk(child)


def _is_skipped(node: ast.AST) -> bool:
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Assert():
            return True
        case ast.Call(func=ast.Name(id="dataclass" | "ConfigDict")):
            return True
        case ast.ClassDef(bases=[ast.Name(id="Protocol")]):
            return True
        case ast.keyword(arg=str() as name):
            return name in _NOT_BEHAVIOUR
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in TUNING
        case ast.If(orelse=[]):
            return all(map(_is_log_call, node.body))
        case _:
            return _is_log_call(node)


def _is_log_call(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log")))):
            return True
        case _:
            return False


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes directly below ``node`` that may be mutated."""
    match node:
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                if not (isinstance(key, ast.Constant) and key.value in TUNING):
                    yield value
            return
        case ast.Call(func=ast.Attribute(attr=name)) if name in TUNING:
            yield node.func
            return
    for field, child in ast.iter_fields(node):
        if field not in ("annotation", "returns"):
            yield from child if isinstance(child, list) else [child]


def _replacements(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield what of ``node`` to replace, and its replacement."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARISONS:
            other = ast.Compare(node.left, [_COMPARISONS[type(op)]()], node.comparators)
            yield node, f"({ast.unparse(other)})"
        case ast.BoolOp():
            swapped: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, f"({ast.unparse(ast.BoolOp(swapped, node.values))})"
        case ast.UnaryOp(op=ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.UnaryOp(op=ast.USub()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.BinOp() if type(node.op) in _ARITHMETIC:
            other_sum = ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
            yield node, f"({ast.unparse(other_sum)})"
        case ast.If() | ast.IfExp() | ast.While():
            # Comparisons and negations are inverted by their own rules.
            if not isinstance(node.test, ast.Compare | ast.UnaryOp):
                yield node.test, f"(not ({ast.unparse(node.test)}))"
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() as number) if abs(number) < _SMALL:
            yield node, f"({number + 1})"
            yield node, f"({number - 1})"
        case ast.Constant(value=0.0):
            yield node, "(1.0)"
            yield node, "(-1.0)"
        case ast.Constant(value=int() | float() as number):
            yield node, f"({number * 10})"
            yield node, f"({number // 10 if isinstance(number, int) else number / 10})"
        case ast.Return(value=ast.expr() as returned):
            if not (isinstance(returned, ast.Constant) and returned.value is None):
                yield node, "return None"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield node, "pass"
    if isinstance(node, ast.Call):
        for number, keyword in enumerate(node.keywords):
            if keyword.arg is not None and not _is_skipped(keyword):
                rest = [*node.keywords[:number], *node.keywords[number + 1 :]]
                yield node, ast.unparse(ast.Call(node.func, node.args, rest))
