"""Sizes as shops write them -> ``SYSTEM:value``, so that they can be compared and filtered.

Systems: ALPHA (XS, M, 2XL, ONE for one size), UK, US, EU, JP (numbers), CM (foot length), WAIST
(inches). Sizes are never converted between systems: the tables differ by brand.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_ALPHA_WORDS = {
    "extra small": "XS",
    "x-small": "XS",
    "small": "S",
    "medium": "M",
    "large": "L",
    "extra large": "XL",
    "x-large": "XL",
    "xx-large": "XXL",
    "one size": "ONE",
    "onesize": "ONE",
    "os": "ONE",
    "free": "ONE",
    "free size": "ONE",
    "freesize": "ONE",
    "フリー": "ONE",
    "ワン": "ONE",
}
_LETTERS = re.compile(r"(?:([2-6])x|(x{1,5}))?([sl])|m")
_SYSTEMS = {
    "uk": "UK",
    "us": "US",
    "usa": "US",
    "eu": "EU",
    "eur": "EU",
    "jp": "JP",
    "ind": "UK",
    "in": "UK",
    "cm": "CM",
    "jp_cm": "CM",
    "w": "WAIST",
}
"""Indian shoe sizes are the British ones (IS 1638)."""

_NUMBER = r"(\d{1,3}(?:[.,]\d)?)"
_SYSTEM_FIRST = re.compile(rf"(uk|usa|us|eur|eu|jp|ind|w)[\s:/-]*{_NUMBER}(?:\s*[/x]?\s*l\s*\d+)?")
_NUMBER_FIRST = re.compile(rf"{_NUMBER}\s*(uk|usa|us|eur|eu|jp|ind|cm)")
_SMALLEST_JAPANESE_FOOT_CM = 20


def normalise_sizes(texts: Iterable[str], system: str | None) -> tuple[str, ...]:
    """The sizes in ``texts``, in order, each once; what is no size is left out.

    ``system``: what a bare number means (UK, US, EU, JP, JP_CM, CM), None: bare numbers unknown.
    """
    found = (size for text in texts for size in _sizes(text, system))
    return tuple(dict.fromkeys(found))


def _sizes(text: str, system: str | None) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).casefold().strip().removesuffix("サイズ").strip()
    whole = _size(plain, system)
    if whole is not None:
        return [whole]
    parts = [_size(part.strip(), system) for part in re.split(r"[,;/|・]", plain)]
    return [part for part in parts if part is not None]


def _size(plain: str, system: str | None) -> str | None:
    if plain in _ALPHA_WORDS:
        return f"ALPHA:{_ALPHA_WORDS[plain]}"
    if letters := _LETTERS.fullmatch(plain):
        return f"ALPHA:{_letters(letters)}"
    if first := _SYSTEM_FIRST.fullmatch(plain):
        return _numbered(_SYSTEMS[first[1]], first[2])
    if last := _NUMBER_FIRST.fullmatch(plain):
        return _numbered(_SYSTEMS[last[2]], last[1])
    if re.fullmatch(_NUMBER, plain) and system is not None:
        declared = _SYSTEMS.get(system.casefold())
        return _numbered(declared, plain) if declared else None
    return None


def _letters(match: re.Match[str]) -> str:
    """``xxl`` and ``2xl`` are the same: up to two X are spelled out, more are counted."""
    count, spelled, letter = match.groups()
    if letter is None:
        return "M"
    many = int(count) if count else len(spelled or "")
    return f"{'X' * many if many <= 2 else f'{many}X'}{letter.upper()}"


def _numbered(system: str, number: str) -> str:
    value = float(number.replace(",", "."))
    # Japanese shoe sizes are foot lengths; clothes numbers (7, 9, 11) stay Japanese numbers.
    if system == "JP" and value >= _SMALLEST_JAPANESE_FOOT_CM:
        system = "CM"
    return f"{system}:{value:g}"
