"""Prompts: versioned sets of text files, one file per task.

A set's name ends in its version. Any change of wording needs a new set: answers are cached by the
name, and the sandbox's model was trained on the exact wording of ``sandbox-1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from schemas.errors import Misconfigured

Part = TypeVar("Part")

FOLDER = Path(__file__).parent / "prompts"
_MAX_PICTURES = {"sandbox-1": 1}
_WITHOUT_BOXES = frozenset({"sandbox-1"})
_PICTURES_FIRST = frozenset({"sandbox-1"})


@dataclass(frozen=True, slots=True)
class Prompts:
    """The text that goes with the pictures, for each task."""

    name: str
    describe: str
    likelihood: str
    pointwise: str
    """With ``{query}``."""
    listwise: str
    """With ``{query}``."""
    max_pictures: int | None
    """Pictures sent for a description, the look included; None: no limit. The sandbox's model was
    trained on one picture at a time, and a second one confuses it."""
    asks_for_boxes: bool
    """Whether ``describe`` asks where the layers are."""
    pictures_first: bool
    """Whether the text follows the pictures, as in the training of the sandbox's model."""

    @classmethod
    def load(cls, name: str) -> Self:
        """Read the set called ``name``. Raises Misconfigured if there is none."""
        folder = FOLDER / name
        if not folder.is_dir():
            known = ", ".join(sorted(path.name for path in FOLDER.iterdir()))
            raise Misconfigured(f"vlm.prompts = {name!r}: no such set; choose one of {known}")

        def text(task: str) -> str:
            return (folder / f"{task}.txt").read_text(encoding="utf-8").rstrip("\n")

        return cls(
            name=name,
            describe=text("describe"),
            likelihood=text("likelihood"),
            pointwise=text("pointwise"),
            listwise=text("listwise"),
            max_pictures=_MAX_PICTURES.get(name),
            asks_for_boxes=name not in _WITHOUT_BOXES,
            pictures_first=name in _PICTURES_FIRST,
        )

    def content(self, text: Part, pictures: Sequence[Part]) -> list[Part]:
        """A message's content in the set's order. Pictures are new in each request, so a server
        can reuse what it computed for the text only if the text is first."""
        return [*pictures, text] if self.pictures_first else [text, *pictures]


def fill_in(template: str, query: str) -> str:
    """Insert the query into ``template``; unlike str.format, braces in a query are harmless."""
    return template.replace("{query}", query)
