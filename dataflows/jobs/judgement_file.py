"""A file of judged pairs: JSON Lines, each a :class:`schemas.judgements.Judgement`."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from schemas.attributes import Department, Gender
from schemas.errors import InvalidFile, list_problems
from schemas.judgements import Judgement, Verdict

MOST_BYTES = 64 * 2**20
"""Some 300,000 judgements, more than people make; the file is read as a whole."""

SHOWN_LINES = 10
"""Line numbers shown per reason."""


@dataclass(frozen=True, slots=True)
class Unused:
    """A line that nothing is fitted to."""

    line: int
    """From 1."""
    reason: str
    """A short stable code."""
    detail: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a picture was matched for."""

    picture: str
    """An http(s) URL, or a path."""
    market: str | None
    gender: Gender | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One layer of a look and one product, judged in one line."""

    line: int
    layer: Department
    product: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class JudgementFile:
    """What a file says."""

    looks: dict[Context, list[Judged]]
    unused: list[Unused]


def read_judgements(path: Path) -> JudgementFile:
    """The judgements of ``path``, by look; pictures are relative to its folder.

    Lines that are no judgements are ``not-json`` or ``invalid``; empty lines mean nothing. Raises
    InvalidFile when the file is too large; OSError.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InvalidFile(f"{path} has more than {MOST_BYTES:,} bytes: judge a sample of the looks")
    looks: dict[Context, list[Judged]] = defaultdict(list)
    unused: list[Unused] = []
    for number, line in enumerate(content.removeprefix(BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            one = Judgement.model_validate_json(line)
        except ValidationError as error:
            not_json = any(problem["type"] == "json_invalid" for problem in error.errors())
            reason = "not-json" if not_json else "invalid"
            unused.append(Unused(number, reason, list_problems(error)))
            continue
        context = Context(_located(one.picture, path.parent), one.market, one.gender)
        looks[context].append(Judged(number, one.layer, one.product, one.verdict))
    return JudgementFile(dict(looks), unused)


def _located(picture: str, folder: Path) -> str:
    if picture.startswith(("http://", "https://")):
        return picture
    return os.path.normpath(folder / picture.removeprefix("file://"))


def summarise(unused: Iterable[Unused]) -> str:
    """Per reason: how many lines, which ones, and what the first one says; empty without any."""
    by_reason: dict[str, list[Unused]] = defaultdict(list)
    for one in sorted(unused, key=lambda one: one.line):
        by_reason[one.reason].append(one)
    return "\n".join(
        f"  {reason}: {len(lines):,} ({_numbers(lines)}), e.g. {lines[0].detail}"
        for reason, lines in sorted(by_reason.items(), key=lambda item: -len(item[1]))
    )


def _numbers(lines: Sequence[Unused]) -> str:
    shown = ", ".join(str(one.line) for one in lines[:SHOWN_LINES])
    more = f" and {len(lines) - SHOWN_LINES:,} more" if len(lines) > SHOWN_LINES else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"
