"""Finds the words of a closed vocabulary in free text: English, Hindi-English mix and Japanese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

_APOSTROPHES = re.compile("['’‘`´]")
_KANJI = frozenset(map(chr, range(0x3400, 0xA000))) | {"々"}
_KATAKANA = frozenset(map(chr, range(0x30A1, 0x3100)))
_NOT_WORD = re.compile(r"[^\w]+|_+")


def normalise(text: str) -> str:
    """One spelling for what people read as the same: width, case, hyphens, apostrophes, spaces.

    ``"Men's T-Shirt"`` and ``"ＭＥＮＳ t shirt"`` both become ``"mens t shirt"``.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_WORD.sub(" ", _APOSTROPHES.sub("", folded)).strip()


class WordList:
    """Words, each with the label it stands for.

    At each place of the text the longest word wins ("shirt dress" is no "shirt"). Words of Latin
    letters need word boundaries and may end in a plural s. Japanese is written without spaces, so
    its words are found inside longer ones (ロング**コート**); but a word of one kanji or of two
    katakana must not touch more of its script: it would be a part of some other word (目**黒**,
    **ブラ**ウン).

    Raises ValueError when a word has two labels.
    """

    def __init__(self, labels: Mapping[str, Iterable[str]]) -> None:
        self._labels: dict[str, str] = {}
        for label, words in labels.items():
            for word in map(normalise, (label, *words)):
                if not word or self._labels.setdefault(word, label) != label:
                    raise ValueError(
                        f"the word {word!r} stands for {self._labels.get(word)!r} and {label!r}"
                    )
        self._longest = max(map(len, self._labels))

    def find(self, text: str) -> list[str]:
        """The labels of the words in ``text``, in the order of the text."""
        normal = normalise(text)
        found: list[str] = []
        start = 0
        while start < len(normal):
            end = self._longest_word_at(normal, start)
            if end is None:
                start += 1
            else:
                found.append(self._label(normal[start:end]))
                start = end
        return found

    def exact(self, text: str) -> str | None:
        """The label when ``text`` as a whole is one of the words."""
        word = normalise(text)
        return self._label(word) if self._known(word) else None

    def _longest_word_at(self, text: str, start: int) -> int | None:
        """The end of the longest word that starts here. A plural s belongs to it."""
        if _joined(text, start):
            return None
        for end in range(min(len(text), start + self._longest + 2), start, -1):
            word = text[start:end]
            if _joined(text, end) or not self._known(word):
                continue
            script = _short_word_of(word)
            if script is None or not script.intersection(
                text[max(0, start - 1) : start] + text[end : end + 1]
            ):
                return end
        return None

    def _known(self, word: str) -> bool:
        return any(spelling in self._labels for spelling in _singulars(word))

    def _label(self, word: str) -> str:
        return next(self._labels[form] for form in _singulars(word) if form in self._labels)


def _singulars(word: str) -> tuple[str, ...]:
    return (word, word[:-1], word[:-2]) if word.endswith("es") else (word, word.removesuffix("s"))


def _joined(text: str, place: int) -> bool:
    """Whether ``place`` lies inside a Latin word: no word starts or ends there."""
    return 0 < place < len(text) and _is_latin(text[place - 1]) and _is_latin(text[place])


def _is_latin(letter: str) -> bool:
    return letter != " " and not "\u3040" <= letter <= "\u9fff"


def _short_word_of(word: str) -> frozenset[str] | None:
    """The script of a Japanese word that is too short to be told inside a longer one."""
    if len(word) == 1 and word in _KANJI:
        return _KANJI
    if len(word) <= 2 and all(letter in _KATAKANA for letter in word):
        return _KATAKANA
    return None
