"""Find words of a closed vocabulary in free text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NewType

LONGEST_TEXT = 1000
"""Characters of a text that are read, before and after NFKC, which may expand one to 18."""
_COMPOSED_AT_ONCE = 100

Normal = NewType("Normal", str)
"""A text in the spelling that :func:`normalise` gives."""

_APOSTROPHES = re.compile("['’‘`´]")
_NOT_WORD = re.compile(r"[^\w]+|_+")
_KANJI = frozenset(map(chr, range(0x3400, 0xA000))) | {"々"}
_KATAKANA = frozenset(map(chr, range(0x30A1, 0x3100)))
# The places where a word may start: a word in letters with spaces, or a character of Japanese.
_STARTS = re.compile(r"[^ \u3040-\u9fff]+|[\u3040-\u9fff]")
_SHORTEST_BEFORE_A_SUFFIX = 3


def _without_accents() -> dict[int, str]:
    """Accented Latin letters to plain ones: shops write "soiree". ñ is a letter of its own."""
    plain = {}
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii() and base.isalpha() and chr(code) not in "ñÑ":
            plain[code] = base
    return plain


_PLAIN_LETTERS = _without_accents()


def normalise(text: str) -> Normal:
    """One spelling for variants in width, case, accents, hyphens, apostrophes and spaces.

    ``"Men's T-Shirt"`` and ``"ＭＥＮＳ t shirt"`` both become ``"mens t shirt"``. Of a longer text
    the first LONGEST_TEXT characters are read.
    """
    folded = _compose(text[:LONGEST_TEXT]).casefold().translate(_PLAIN_LETTERS)[:LONGEST_TEXT]
    return Normal(_NOT_WORD.sub(" ", _APOSTROPHES.sub("", folded)).strip())


def _compose(text: str) -> str:
    """NFKC, stopped once LONGEST_TEXT characters are there."""
    composed, end = "", 0
    while end < len(text) and len(composed) < LONGEST_TEXT:
        start, end = end, end + _COMPOSED_AT_ONCE
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        composed += unicodedata.normalize("NFKC", text[start:end])
    return composed[:LONGEST_TEXT]


def spellings(
    labels: Mapping[str, Iterable[str]], endings: Iterable[str] = ("s", "es")
) -> dict[Normal, str]:
    """Word -> label, each word also with every ending; one in its own right wins.

    Raises ValueError when a word has two labels.
    """
    words: dict[Normal, str] = {}
    for label, spelled in labels.items():
        for word in map(normalise, spelled):
            if not word or words.setdefault(word, label) != label:
                raise ValueError(f"the word {word!r} stands for {words.get(word)!r} and {label!r}")
    inflected = dict(words)
    for ending in endings:
        for word, label in words.items():
            if _is_latin(word[-1]):
                inflected.setdefault(Normal(word + ending), label)
    return inflected


@dataclass(frozen=True, slots=True)
class Found:
    """A word in a text: its label, and where it begins and ends."""

    label: str
    start: int
    end: int


class WordList:
    """Words, each with its label.

    At each position of the text the longest word wins: "shirt dress" is not a "shirt". Words in
    Latin letters need word boundaries; a suffix may also end a longer word (Sommer**kleid**).
    Japanese is written without spaces, so its words are also found inside longer
    ones (ロング**コート**). A word of one kanji or of at most two katakana must not touch another
    character of its script, as it would then belong to a different word (目**黒**, **ブラ**ウン).

    ``suffixes``: the words that may end a longer one. ``alone``: longer katakana words that must
    not touch another character either (ステア**リング**). A word with an empty label stands for
    nothing, and hides the words in it: a "watch strap" is no watch.
    """

    def __init__(
        self,
        words: Mapping[Normal, str],
        suffixes: Iterable[Normal] = (),
        alone: Iterable[Normal] = (),
    ) -> None:
        self._labels = words
        self._alone = frozenset(alone)
        self._words: _Node = {}
        for word, label in words.items():
            _insert(self._words, word, label)
        self._suffixes: _Node = {}
        for word in suffixes:
            _insert(self._suffixes, word[::-1], words[word])

    def find(self, text: Normal) -> list[str]:
        """The labels of the words found, in the order of the text."""
        return [found.label for found in self.locate(text)]

    def locate(self, text: Normal) -> list[Found]:
        """The words found, in the order of the text.

        The time grows with the length of the text: at each start at most the longest word is read.
        """
        found: list[Found] = []
        end = 0
        for start in _STARTS.finditer(text):
            if start.start() < end:
                continue
            match = self._longest_word_at(text, start.start())
            if match is None and self._suffixes:
                match = self._suffix_of(text, start.start(), start.end())
            if match is not None:
                end, label = match
                if label:
                    found.append(Found(label, start.start(), end))
        return found

    def exact(self, text: Normal) -> str | None:
        """The label if the whole of ``text`` is one word; else None."""
        return self._labels.get(text) or None

    def _longest_word_at(self, text: Normal, start: int) -> tuple[int, str] | None:
        """End and label of the longest word that starts at ``start``; None without one."""
        node, longest = self._words, None
        for position in range(start, len(text)):
            following = node.get(text[position])
            if following is None:
                break
            node = following
            label = node.get("")
            if label is not None and self._may_be_word(text, start, position + 1):
                longest = position + 1, label
        return longest

    def _may_be_word(self, text: str, start: int, end: int) -> bool:
        """Whether the letters from ``start`` to ``end`` are not a part of a longer word."""
        if end < len(text) and _is_latin(text[end - 1]) and _is_latin(text[end]):
            return False
        word = text[start:end]
        script = _KATAKANA if word in self._alone else _script_of_short_word(word)
        if script is _KANJI and text[max(0, start - 1) : start].isdecimal():
            return False  # a counter: 4本 is four of something, and no book
        return script is None or not script.intersection(
            text[max(0, start - 1) : start] + text[end : end + 1]
        )

    def _suffix_of(self, text: Normal, start: int, end: int) -> tuple[int, str] | None:
        """End and label of the longest suffix of the word from ``start`` to ``end``."""
        node, longest = self._suffixes, None
        for position in range(end - 1, start + _SHORTEST_BEFORE_A_SUFFIX - 1, -1):
            following = node.get(text[position])
            if following is None:
                break
            node = following
            if (label := node.get("")) is not None:
                longest = end, label
        return longest


_Node = dict[str, Any]
"""A node of a trie: letter -> node, and "" -> label."""


def _insert(root: _Node, letters: str, label: str) -> None:
    for letter in letters:
        root = root.setdefault(letter, {})
    root[""] = label


def _is_latin(letter: str) -> bool:
    return letter != " " and not "\u3040" <= letter <= "\u9fff"


def _script_of_short_word(word: str) -> frozenset[str] | None:
    """The script of a Japanese word too short to be recognised inside a longer one; else None."""
    if len(word) == 1 and word in _KANJI:
        return _KANJI
    if len(word) <= 2 and all(letter in _KATAKANA for letter in word):
        return _KATAKANA
    return None
