"""Which words hold for a text: those of its own language.

French "robe" is a dress, English "robe" a bathrobe. English words are read in every language,
because shops everywhere use them, unless they mean something else there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from operators.vocabulary.language import ENGLISH, AttributeName, Language
from operators.vocabulary.spelled import (
    NOTHING,
    Groups,
    Spelled,
    is_fashion,
    kind_for_fashion,
    kinds_beside,
)
from operators.vocabulary.wordlist import Found, Normal, WordList, normalise

_OTHER = "other"
"""Stands for every language without a file."""
_KANA = re.compile("[\u3041-\u30ff]")
_LONGEST_MOTIF = 40
"""Characters before a thing in which a motif is searched for."""
_MOST_BETWEEN = 2
_NOT_BETWEEN = re.compile("[0-9\u3040-\u9fff]")
"""Between a thing and the fashion it is for: "t-shirt folding board", but no number of pieces."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the words of a text mean."""

    words: Mapping[AttributeName, WordList]
    kinds: WordList
    """Whether an item is fashion: FASHION, NOTHING, a key of ``weak``, or another kind of item.
    """
    weak: Mapping[str, frozenset[str]]
    """Label of a weak word -> kinds beside whose words it is not fashion."""
    wearers: WordList
    motifs: re.Pattern[str]
    """Before the name of a thing (after it unless ``head_first``): the item only shows it."""
    roots: Mapping[Normal, str]
    branches: Mapping[Normal, str]
    """Whole steps of a category path -> kind."""
    clauses: re.Pattern[str]
    """Splits a title; the group is what begins a purpose."""
    several: re.Pattern[str]
    head_first: bool

    def kinds_in(self, text: Normal) -> list[str]:
        """The labels of the words in ``text`` that show whether an item is fashion, in order."""
        located = self.kinds.locate(text)
        kinds = []
        for index, found in enumerate(located):
            label = found.label
            if (kind := kind_for_fashion(label)) is not None:
                neighbour = index + 1 if self.head_first else index - 1
                if not 0 <= neighbour < len(located) or not self._belongs(
                    text, found, located[neighbour]
                ):
                    continue
                label = kind
            if not _may_be_fashion(label) and self._is_shown(text, found):
                continue
            kinds.append(label)
        return kinds

    def _belongs(self, text: Normal, thing: Found, other: Found) -> bool:
        """Whether ``thing`` keeps, cleans or makes ``other``: few words stand between them."""
        first, second = sorted((thing, other), key=lambda found: found.start)
        between = text[first.end : second.start]
        return (
            (_may_be_fashion(other.label) or kind_for_fashion(other.label) is not None)
            and len(between.split()) <= _MOST_BETWEEN
            and not _NOT_BETWEEN.search(between)
        )

    def _is_shown(self, text: Normal, thing: Found) -> bool:
        if self.head_first:
            before = text[max(0, thing.start - _LONGEST_MOTIF) : thing.start]
            return self.motifs.search(before) is not None
        return self.motifs.match(text, thing.end) is not None


def _may_be_fashion(label: str) -> bool:
    return label == NOTHING or is_fashion(label)


class Languages:
    """The lexicon of every language, of texts of unknown language and of other languages."""

    def __init__(self, languages: Mapping[str, Language]) -> None:
        self._read = {}
        for name, language in languages.items():
            try:
                self._read[name] = Spelled.of(language)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        self._lexicons: dict[tuple[str | None, bool], Lexicon] = {}
        self._evidence = self._evidence_of_languages(languages)
        self._compounds = {
            name: WordList(dict.fromkeys(read.suffixes, name), read.suffixes)
            for name, read in self._read.items()
            if read.suffixes
        }

    def lexicon(self, tag: str | None, texts: Iterable[str]) -> Lexicon:
        """The words that hold for ``texts`` in the language ``tag`` (BCP 47; None: unknown)."""
        declared = tag is not None
        name = self.detect(texts) if tag is None else self._named(tag)
        if (name, declared) not in self._lexicons:
            self._lexicons[name, declared] = self._built(name, declared)
        return self._lexicons[name, declared]

    def _named(self, tag: str) -> str:
        primary = re.split("[-_]", tag.strip().casefold(), maxsplit=1)[0]
        if primary == "hi":
            return "hi-Latn"
        return primary if primary in self._read else _OTHER

    def _built(self, name: str | None, declared: bool) -> Lexicon:
        if name == _OTHER:
            return self._lexicon({ENGLISH: self._only_english()}, ENGLISH)
        # Undeclared texts may mix languages: an English title, and "laal" as its colour.
        mixed = {} if declared else {known: self._unambiguous(known) for known in self._read}
        if name is None:
            return self._lexicon(mixed, ENGLISH)
        return self._lexicon({**mixed, **self._of_language(name)}, name)

    def detect(self, texts: Iterable[str]) -> str | None:
        """The language that two words of the texts speak for, and hardly any against; else None."""
        tokens = {token for text in texts for token in normalise(text).split()}
        known = [found for token in tokens if (found := self._languages_of(token))]
        # Japanese has no spaces between words: one token may be a whole title.
        known += [frozenset({"ja"})] * (2 * sum(bool(_KANA.search(token)) for token in tokens))
        alone = dict.fromkeys(self._read, 0)
        for languages in known:
            if len(languages) == 1:
                alone[next(iter(languages))] += 1
        best = max(alone, key=alone.__getitem__)
        against = max((count for name, count in alone.items() if name != best), default=0)
        total = sum(best in languages for languages in known)
        return best if alone[best] > 0 and total >= 2 and alone[best] >= 2 * against else None

    def _languages_of(self, token: str) -> frozenset[str]:
        """The languages that use the word, or compounds that end like it (Wollmantel)."""
        return self._evidence.get(token) or frozenset(
            name for name, words in self._compounds.items() if words.find(Normal(token))
        )

    def _of_language(self, name: str) -> dict[str, Groups]:
        """Language -> the words that hold in texts of the language ``name``."""
        own, english = self._read[name], self._read[ENGLISH]
        if name == ENGLISH:
            return {ENGLISH: english.words}
        lent = {
            group: {
                word: label
                for word, label in words.items()
                if word not in own.other_meanings and own.agrees(group, word, label)
            }
            for group, words in english.words.items()
        }
        return {ENGLISH: lent, name: own.words}

    def _only_english(self) -> Groups:
        """The English words that mean nothing else in any language known here."""
        others = [read for name, read in self._read.items() if name != ENGLISH]

        def holds(group: str, word: Normal, label: str) -> bool:
            return all(
                word not in other.other_meanings and other.agrees(group, word, label)
                for other in others
            )

        return _held(self._read[ENGLISH].words, holds)

    def _unambiguous(self, name: str) -> Groups:
        """The words of ``name`` that may be read in a text of unknown language.

        An English word must not stand for something else in another vocabulary; a word of another
        language must besides mean nothing else in any.
        """
        others = [read for other, read in self._read.items() if other != name]

        def holds(group: str, word: Normal, label: str) -> bool:
            if name == ENGLISH:
                return all(other.agrees(group, word, label) for other in others)
            return all(
                word not in other.other_meanings
                and (
                    word not in other.vocabulary
                    or (other.meaning(group, word) is not None and other.agrees(group, word, label))
                )
                for other in others
            )

        return _held(self._read[name].words, holds)

    def _lexicon(self, words: Mapping[str, Groups], grammar: str) -> Lexicon:
        """A lexicon of ``words`` (language -> group), with the grammar of one language."""
        merged: Groups = {}
        for groups in words.values():
            for group, labels in groups.items():
                merged.setdefault(group, {}).update(labels)
        suffixes = {word for name in words for word in self._read[name].suffixes}
        alone = {word for name in words for word in self._read[name].alone}
        lists = {
            group: WordList(labels, suffixes & labels.keys(), alone)
            for group, labels in merged.items()
        }
        kinds, roots = lists.pop("kind"), merged.get("root", {})
        lists.pop("root", None)
        lists.pop("branch", None)
        read = [self._read[name].language for name in words]
        clauses = {word for language in read for word in language.clauses}
        purposes = {word for language in read for word in language.purposes}
        several = {word for language in read for word in language.several}
        motifs = _any_of(normalise(word) for language in read for word in language.motifs)
        head_first = self._read[grammar].language.head == "first"
        wearers: dict[Normal, str] = {}
        for name in words:
            wearers.update(self._read[name].wearers)
        return Lexicon(
            words=lists,  # type: ignore[arg-type]
            kinds=kinds,
            weak=kinds_beside(merged["kind"].values()),
            wearers=WordList(wearers),
            motifs=re.compile(
                rf"\b(?:{motifs})(?: \w{{1,3}})? ?$" if head_first else rf" ?(?:{motifs})(?![a-z])"
            ),
            roots=roots,
            branches=merged.get("branch", {}),
            clauses=re.compile(
                rf"(?:[){{}}\[\],;:|）［］、。【】]| - |–|—|\b(?:{_any_of(clauses)})\b"
                rf"|([(（]|\b(?:{_any_of(purposes)})\b))",
                re.IGNORECASE,
            ),
            several=re.compile(rf"&|\+|,|・|、|\b(?:{_any_of(several)})\b", re.IGNORECASE),
            head_first=head_first,
        )

    def _evidence_of_languages(
        self, languages: Mapping[str, Language]
    ) -> Mapping[str, frozenset[str]]:
        """Word -> the languages that use it."""
        found: dict[str, set[str]] = {}
        for name, language in languages.items():
            frequent = (*language.common, *language.clauses, *language.purposes, *language.several)
            for word in (*self._read[name].vocabulary, *map(normalise, frequent)):
                for token in word.split():
                    found.setdefault(token, set()).add(name)
            for word in self._read[name].other_meanings:
                found.setdefault(word, set()).add(name)
        return {token: frozenset(names) for token, names in found.items() if len(token) > 1}


def _held(words: Groups, holds: Callable[[str, Normal, str], bool]) -> Groups:
    """The words that hold. Of the others, those of fashion may not be sold as anything else."""
    return {
        group: {
            word: label if holds(group, word, label) else NOTHING
            for word, label in labels.items()
            if holds(group, word, label) or (group == "kind" and is_fashion(label))
        }
        for group, labels in words.items()
    }


def _any_of(words: Iterable[str]) -> str:
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(map(re.escape, longest_first)) or "(?!)"
