"""A language's words in the spelling that texts are compared in, and what each stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from operators.vocabulary.language import Language, Words
from operators.vocabulary.wordlist import Normal, normalise, spellings

FASHION, NOTHING = "fashion", "nothing"
"""Labels of the words that show whether an item is fashion, beside weak ones and the kinds of what
is not fashion."""

_WEAK = "weak: "
_FOR_FASHION = "for fashion: "
Groups = dict[str, dict[Normal, str]]
"""Attribute, "kind", "root" or "branch" -> word -> label."""


def is_fashion(label: str) -> bool:
    """Whether a word with this label names fashion, possibly beside other things."""
    return label == FASHION or label.startswith(_WEAK)


def kind_for_fashion(label: str) -> str | None:
    """The kind of a thing that keeps, cleans or makes fashion; None for another label."""
    return label.removeprefix(_FOR_FASHION) if label.startswith(_FOR_FASHION) else None


def kinds_beside(labels: Iterable[str]) -> dict[str, frozenset[str]]:
    """Label of a weak word -> kinds beside whose words it is not fashion."""
    return {
        label: frozenset(label.removeprefix(_WEAK).split(", "))
        for label in labels
        if label.startswith(_WEAK)
    }


_SAME_QUESTION = {"department": "category", "category": "department"}


@dataclass(frozen=True, slots=True)
class Spelled:
    """A language's words in the spelling that texts are compared in."""

    language: Language
    words: Groups
    suffixes: frozenset[Normal]
    alone: frozenset[Normal]
    other_meanings: frozenset[Normal]
    vocabulary: frozenset[Normal]
    wearers: Mapping[Normal, str]

    @classmethod
    def of(cls, language: Language) -> Spelled:
        hidden = (*language.nothing, *language.unrelated)
        tables = {
            "department": {**language.departments, "": hidden},
            "category": {**language.categories, "": hidden},
            "gender": language.genders,
            "colour": language.colours,
            "pattern": language.patterns,
            "kind": _kinds(language),
        }
        words: Groups = {}
        for name, table in tables.items():
            try:
                words[name] = spellings(table, language.endings)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        spelled = [text for table in tables.values() for texts in table.values() for text in texts]
        suffixes = [text for text in spelled if text.startswith("*")]
        alone = [text for text in spelled if text.startswith("=")]
        return cls(
            language=language,
            words={
                **words,
                "root": spellings(language.roots, ()),
                "branch": spellings(language.branches, ()),
            },
            suffixes=frozenset(spellings({"": suffixes}, language.endings)),
            alone=frozenset(map(normalise, alone)),
            other_meanings=frozenset(map(normalise, language.other_meanings)),
            vocabulary=frozenset(word for labels in words.values() for word in labels),
            wearers=spellings(language.wearers, language.endings),
        )

    def agrees(self, group: str, word: Normal, label: str) -> bool:
        """Whether ``word`` means the same here, or nothing."""
        here = self.meaning(group, word)
        return here in (None, label) or (is_fashion(str(here)) and is_fashion(label))

    def meaning(self, group: str, word: Normal) -> str | None:
        """The label of ``word``; of a kind of garment, too, when asked for a department."""
        own = self.words[group].get(word)
        other = _SAME_QUESTION.get(group)
        return self.words[other].get(word) if own is None and other is not None else own


def _kinds(language: Language) -> Words:
    """The words that separate fashion from other items."""
    weak = set(map(normalise, language.weak))
    fashion = [
        text
        for table in (language.departments, language.categories)
        for texts in table.values()
        for text in texts
        if normalise(text) not in weak
    ]
    weak_words: dict[str, list[str]] = {}
    for word, kinds in language.weak.items():
        weak_words.setdefault(_WEAK + ", ".join(sorted(kinds)), []).append(word)
    return {
        "": language.unrelated,
        FASHION: tuple(fashion),
        **{label: tuple(words) for label, words in weak_words.items()},
        NOTHING: language.nothing,
        **{_FOR_FASHION + kind: words for kind, words in language.for_fashion.items()},
        **language.not_fashion,
    }
