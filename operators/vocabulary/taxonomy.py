"""The vocabulary of fashion: departments, categories, genders, colour families, patterns."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operators.vocabulary.wordlist import WordList
from schemas.attributes import Department, Gender
from schemas.errors import Misconfigured

DEFAULT_PATH = Path(__file__).with_name("taxonomy.toml")


class Term(BaseModel):
    """One label of the vocabulary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: tuple[str, ...] = ()
    prompt: str | None = None
    google: int | None = Field(None, gt=0)


class Category(Term):
    """A kind of item within a department."""

    department: Department
    gender: Gender | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    departments: dict[Department, Term]
    categories: dict[str, Category]
    genders: dict[Gender, Term]
    colours: dict[str, Term]
    patterns: dict[str, Term]


@dataclass(frozen=True)
class Taxonomy:
    """What a value may be, and how shops say it."""

    departments: Mapping[Department, Term]
    categories: Mapping[str, Category]
    genders: Mapping[Gender, Term]
    colours: Mapping[str, Term]
    patterns: Mapping[str, Term]
    model_labels: frozenset[str] | None = field(default=None)
    """What a zero-shot model may answer with; None: every label."""

    @classmethod
    def load(cls, path: Path = DEFAULT_PATH) -> Self:
        """The taxonomy of a TOML file. Raises Misconfigured, naming file, table and field."""
        try:
            file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            taxonomy = cls(
                file.departments, file.categories, file.genders, file.colours, file.patterns
            )
            taxonomy.words  # noqa: B018 - a word with two labels is found at the start
        except ValidationError as error:
            raise Misconfigured(f"{path}: {_first_problem(error)}") from error
        except (ValueError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error
        return taxonomy

    def answering_with(self, labels: Collection[str]) -> Self:
        """The same vocabulary for rules, but zero-shot chooses among ``labels`` only.

        For a model that has only ever seen a part of fashion: asked about a saree, a model of the
        sandbox world answers at random, and loudly. Raises Misconfigured for unknown labels.
        """
        known = {*self.categories, *self.colours, *self.patterns, *self.genders}
        if unknown := set(labels) - known:
            raise Misconfigured(f"the taxonomy has no {', '.join(sorted(unknown))}")
        return type(self)(
            self.departments,
            self.categories,
            self.genders,
            self.colours,
            self.patterns,
            frozenset(labels),
        )

    @cached_property
    def words(self) -> Mapping[str, WordList]:
        """Attribute name (department, category, gender, colour, pattern) -> its words."""
        tables: dict[str, Mapping[Any, Term]] = {
            "department": self.departments,
            "category": self.categories,
            "gender": self.genders,
            "colour": self.colours,
            "pattern": self.patterns,
        }
        return {
            name: WordList({str(label): term.words for label, term in table.items()})
            for name, table in tables.items()
        }

    @cached_property
    def google_ids(self) -> Mapping[int, tuple[Department, str | None]]:
        """Google product taxonomy id -> department, and the category when only one has the id."""
        found: dict[int, tuple[Department, str | None]] = {}
        for name, category in self.categories.items():
            if category.google is not None:
                label = None if category.google in found else name
                found[category.google] = (category.department, label)
        for department, term in self.departments.items():
            if term.google is not None:
                found[term.google] = (department, None)
        return found

    def google_id(self, department: str | None, category: str | None) -> int | None:
        """The Google id of a category, or else of its department."""
        if category is not None and (own := self.categories[category].google) is not None:
            return own
        return self.departments[Department(department)].google if department else None

    def category_prompts(self, department: str | None = None) -> dict[str, list[str]]:
        """Zero-shot prompts of the categories, of one department if given; may be empty."""
        return {
            name: _photos(category.prompt or name)
            for name, category in self.categories.items()
            if department in (None, category.department) and self._answers(name)
        }

    def gender_prompts(self) -> dict[str, list[str]]:
        """Zero-shot prompts of who an item is made for; may be empty."""
        return {
            str(label): [f"a photo of {term.prompt or label}"]
            for label, term in self.genders.items()
            if self._answers(str(label))
        }

    def colour_prompts(self) -> dict[str, list[str]]:
        """Zero-shot prompts of the colour families; may be empty."""
        return {
            name: [f"a photo of a {term.prompt or name} garment", f"{term.prompt or name} clothes"]
            for name, term in self.colours.items()
            if self._answers(name)
        }

    def pattern_prompts(self) -> dict[str, list[str]]:
        """Zero-shot prompts of the patterns; may be empty."""
        return {
            name: [f"a photo of a {term.prompt or name} garment", f"{term.prompt or name} pattern"]
            for name, term in self.patterns.items()
            if self._answers(name)
        }

    def _answers(self, label: str) -> bool:
        return self.model_labels is None or label in self.model_labels


def _photos(thing: str) -> list[str]:
    article = "an" if thing[0] in "aeiou" else "a"
    return [f"a photo of {article} {thing}", f"a product picture of {article} {thing}", thing]


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}"
