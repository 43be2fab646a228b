"""The vocabulary of fashion: departments, categories, genders, colour families, patterns."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from operators.vocabulary.language import AttributeName, read_languages
from operators.vocabulary.lexicon import Languages
from operators.vocabulary.wordlist import WordList
from schemas.attributes import Department, Gender
from schemas.errors import Misconfigured, list_problems

DEFAULT_PATH = Path(__file__).with_name("taxonomy.toml")

PLAIN = "solid"
"""The label of garments without a pattern."""


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


class OtherKind(BaseModel):
    """A kind of product that is not fashion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    google: tuple[int, ...] = ()
    prompts: tuple[str, ...]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    not_fashion: dict[str, OtherKind]
    departments: dict[Department, Term]
    categories: dict[str, Category]
    genders: dict[Gender, Term]
    colours: dict[str, Term]
    patterns: dict[str, Term]


@dataclass(frozen=True)
class Taxonomy:
    """The labels of each attribute, and the words that shops use for them."""

    departments: Mapping[Department, Term]
    categories: Mapping[str, Category]
    genders: Mapping[Gender, Term]
    colours: Mapping[str, Term]
    patterns: Mapping[str, Term]
    not_fashion: Mapping[str, OtherKind]
    languages: Languages
    model_labels: frozenset[str] | None = field(default=None)
    """The labels that a zero-shot model may answer with; None: all."""

    @classmethod
    def load(cls, path: Path = DEFAULT_PATH) -> Self:
        """Read a TOML file. Raises Misconfigured, naming file, table and field."""
        try:
            file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
            english = {
                name: {str(label): (str(label), *term.words) for label, term in table.items()}
                for name, table in file
                if name != "not_fashion"
            }
            return cls(
                file.departments,
                file.categories,
                file.genders,
                file.colours,
                file.patterns,
                file.not_fashion,
                Languages(read_languages(english)),
            )
        except ValidationError as error:
            raise Misconfigured(f"{path}: {list_problems(error)}") from error
        except (ValueError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error

    def answering_with(self, labels: Collection[str]) -> Self:
        """The same vocabulary for rules, but zero-shot models choose among ``labels`` only.

        For models trained on few labels: asked about a saree, the sandbox's model answers at random
        and with high confidence. Raises Misconfigured for unknown labels.
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
            self.not_fashion,
            self.languages,
            frozenset(labels),
        )

    @property
    def words(self) -> Mapping[AttributeName, WordList]:
        """Attribute -> the words that hold in a text of unknown language."""
        return self.languages.lexicon(None, ()).words

    @cached_property
    def google_branches(self) -> Mapping[int, str]:
        """Google product taxonomy id -> kind of product that is not fashion."""
        return {id_: name for name, kind in self.not_fashion.items() for id_ in kind.google}

    @cached_property
    def google_ids(self) -> Mapping[int, tuple[Department, str | None]]:
        """Google product taxonomy id -> department, and category if only one has this id."""
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
        """The Google product taxonomy id of the category; without one, the department's."""
        if category is not None and (own := self.categories[category].google) is not None:
            return own
        return self.departments[Department(department)].google if department else None

    def category_prompts(self, department: str | None = None) -> dict[str, list[str]]:
        """Label -> zero-shot prompts of the categories (of one department, if given)."""
        return {
            name: _photos(category.prompt or name)
            for name, category in self.categories.items()
            if department in (None, category.department) and self._answers(name)
        }

    def not_fashion_prompts(self) -> dict[str, list[str]]:
        """Kind that is not fashion -> zero-shot prompts; empty for a model of few labels."""
        if self.model_labels is not None:
            return {}
        return {
            name: [f"a photo of {thing}" for thing in kind.prompts]
            for name, kind in self.not_fashion.items()
        }

    def gender_prompts(self) -> dict[str, list[str]]:
        """Label -> zero-shot prompts of the genders that items are made for; may be empty."""
        return {
            str(label): [f"a photo of {term.prompt or label}"]
            for label, term in self.genders.items()
            if self._answers(str(label))
        }

    def colour_prompts(self) -> dict[str, list[str]]:
        """Label -> zero-shot prompts of the colour families; may be empty."""
        return {
            name: [f"a photo of a {term.prompt or name} garment", f"{term.prompt or name} clothes"]
            for name, term in self.colours.items()
            if self._answers(name)
        }

    def pattern_prompts(self) -> dict[str, list[str]]:
        """Label -> zero-shot prompts of the patterns; may be empty."""
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
