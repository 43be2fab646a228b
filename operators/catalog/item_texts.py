"""A vendor's item as texts in one language, cut into the parts that rules read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from operators.vocabulary.lexicon import Languages, Lexicon
from operators.vocabulary.wordlist import LONGEST_TEXT, Normal, normalise
from schemas.catalog import ProductUpdate

MOST_STEPS = 12
MOST_CLAUSES = 20
MOST_PARTS = 8
_STEPS = re.compile(r"[>›»|/＞／｜]")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a title. A title names the item first, and accessories after it."""

    text: Normal
    is_purpose: bool
    """It says what the item is for, or more precisely what it is: "(aquarium)"."""
    several: bool
    """It joins several things: "Oven gloves and apron"."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a category path."""

    text: Normal
    several: bool
    """It lists several kinds ("Bag aur purse", ワンピース・ドレス)."""
    parts: tuple[Normal, ...]
    """What it lists; the whole step when that is one thing."""


@dataclass(frozen=True, slots=True)
class ItemTexts:
    """What rules read of an item."""

    lexicon: Lexicon
    title: Normal
    """Without the brand, which may contain a colour ("Red Tape")."""
    clauses: tuple[Clause, ...]
    path: Normal
    first_step: Normal
    steps: tuple[Step, ...]
    """The deepest step last."""
    gender: Normal
    colour: Normal
    pattern: Normal

    @classmethod
    def of(cls, update: ProductUpdate, languages: Languages) -> ItemTexts:
        """Read each text once, up to LONGEST_TEXT characters."""
        title = _without_brand(update)
        path = (update.category_text or "")[:LONGEST_TEXT]
        fields = (update.gender_text, update.colour_text, update.pattern_text)
        lexicon = languages.lexicon(
            update.language, (title, path, *(field or "" for field in fields))
        )
        gender, colour, pattern = (normalise(field or "") for field in fields)
        steps = [step for step in _STEPS.split(path) if step.strip()]
        return cls(
            lexicon=lexicon,
            title=normalise(title),
            clauses=_clauses(title, lexicon),
            path=normalise(path),
            first_step=normalise(steps[0]) if steps else Normal(""),
            steps=tuple(_step(step, lexicon) for step in steps[-MOST_STEPS:]),
            gender=gender,
            colour=colour,
            pattern=pattern,
        )


def _without_brand(update: ProductUpdate) -> str:
    title = update.title[:LONGEST_TEXT]
    if not update.brand:
        return title
    return re.sub(re.escape(update.brand), " ", title, flags=re.IGNORECASE)


def _step(text: str, lexicon: Lexicon) -> Step:
    parts = lexicon.several.split(text, maxsplit=MOST_PARTS)[: MOST_PARTS + 1]
    return Step(normalise(text), len(parts) > 1, tuple(normalise(part) for part in parts))


def _clauses(title: str, lexicon: Lexicon) -> tuple[Clause, ...]:
    parts = lexicon.clauses.split(title, maxsplit=MOST_CLAUSES)
    # Text and separator take turns; the separator is None unless a purpose follows.
    separators = [None, *parts[1::2]]
    cut = zip(parts[::2][:MOST_CLAUSES], separators, strict=False)
    clauses = (
        Clause(
            normalise(text), separator is not None, lexicon.several.search(text or "") is not None
        )
        for text, separator in cut
    )
    return tuple(clause for clause in clauses if clause.text)
