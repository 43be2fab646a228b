"""The words of each language, one file each (words/*.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.errors import Misconfigured

ENGLISH = "en"
FOLDER = Path(__file__).with_name("words")

AttributeName = Literal["department", "category", "gender", "colour", "pattern"]
Words = dict[str, tuple[str, ...]]
"""Label -> words."""


class Language(BaseModel):
    """One file of words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    head: Literal["first", "last"]
    """Where the head noun stands: "robe chemise", "shirt dress"."""
    endings: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    """"and": what joins two kinds."""
    clauses: tuple[str, ...] = ()
    """"with", "in": what ends the part of a title that names the item."""
    purposes: tuple[str, ...] = ()
    """"for": what comes before the thing that the item is for; these end a clause, too."""
    common: tuple[str, ...] = ()
    """Frequent words by which the language is recognised."""
    other_meanings: tuple[str, ...] = ()
    """Words of the language that look like another language's and mean something else."""
    departments: Words = {}
    categories: Words = {}
    genders: Words = {}
    colours: Words = {}
    patterns: Words = {}
    not_fashion: Words = {}
    """Kind -> words for things that are not fashion."""
    for_fashion: Words = {}
    """Kind -> things that keep, clean or make the fashion they are named with: "hat box"."""
    roots: Words = {}
    """Kind -> first steps of the Google product taxonomy; "fashion": of its fashion branches."""
    branches: Words = {}
    """Kind -> how shops call a whole step of a category path: "home & living"."""
    weak: Words = {}
    """Word of fashion -> kinds beside whose words it stands for something else: "water tank"."""
    wearers: Words = {}
    """Kind -> phrases that say an item is not for people: "for dogs"."""
    motifs: tuple[str, ...] = ()
    """"print": with these, a thing is only what an item shows: "guitar print"."""
    unrelated: tuple[str, ...] = ()
    """Words that contain another one by chance: コードレス is no ドレス."""
    nothing: tuple[str, ...] = ()
    """Phrases that are neither a department or category nor without fashion: "tracksuit"."""


def read_languages(english: Mapping[str, Words], folder: Path = FOLDER) -> dict[str, Language]:
    """Name -> language, from the files of ``folder``; ``english``: the taxonomy's words by table.

    Raises Misconfigured, naming file and field.
    """
    languages = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            language = Language.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (ValueError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error
        for table, labels in english.items():
            unknown = getattr(language, table).keys() - labels.keys()
            if unknown:
                raise Misconfigured(f"{path}: {table}: no label {', '.join(sorted(unknown))}")
        if path.stem == ENGLISH:
            language = language.model_copy(update=dict(english))
        languages[path.stem] = language
    return languages
