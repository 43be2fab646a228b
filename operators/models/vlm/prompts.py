"""Prompts: versioned sets of text files, one file per task.

A set's name ends in its version. Any change of wording needs a new set: answers are cached by the
name, and the sandbox's model was trained on the exact wording of ``sandbox-1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from schemas.errors import Misconfigured

FOLDER = Path(__file__).parent / "prompts"
_MAX_PICTURES = {"sandbox-1": 1}
_WITHOUT_BOXES = frozenset({"sandbox-1"})


@dataclass(frozen=True, slots=True)
class Prompts:
    """The text that follows the pictures, for each task."""

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
        )


def fill_in(template: str, query: str) -> str:
    """Insert the query into ``template``; unlike str.format, braces in a query are harmless."""
    return template.replace("{query}", query)
