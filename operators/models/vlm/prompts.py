"""The words a model is asked with: versioned sets of text files, one per task.

A set's name ends in its version: a changed word is a new set, as answers are cached by it and the
sandbox model was trained on exactly the words of ``sandbox-1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from schemas.errors import Misconfigured

FOLDER = Path(__file__).parent / "prompts"
_PICTURES = {"sandbox-1": 1}


@dataclass(frozen=True, slots=True)
class Prompts:
    """The text that follows the pictures, by task."""

    name: str
    describe: str
    likelihood: str
    pointwise: str
    """With ``{query}``."""
    listwise: str
    """With ``{query}``."""
    pictures: int | None
    """That a look may be described by, itself included; None: any number. The sandbox's model was
    taught one at a time, and a second picture confuses it."""

    @classmethod
    def load(cls, name: str) -> Self:
        """Raises Misconfigured when there is no set of that name."""
        folder = FOLDER / name
        if not folder.is_dir():
            known = ", ".join(sorted(path.name for path in FOLDER.iterdir()))
            raise Misconfigured(f"vlm.prompts = {name!r}: there is no such set; choose of {known}")

        def text(task: str) -> str:
            return (folder / f"{task}.txt").read_text(encoding="utf-8").rstrip("\n")

        return cls(
            name=name,
            describe=text("describe"),
            likelihood=text("likelihood"),
            pointwise=text("pointwise"),
            listwise=text("listwise"),
            pictures=_PICTURES.get(name),
        )

    def asking(self, template: str, query: str) -> str:
        """``template`` with the query in its place; braces in a query are only braces."""
        return template.replace("{query}", query)
