"""Normalise sizes as shops write them to ``SYSTEM:value``, for comparison and filtering.

Systems: ALPHA (XS, M, 3XL, 1X of plus sizes, ONE for one size), UK, US, EU, JP (numbers), CM (foot
length), WAIST (inches), AGE (6-9M, 2Y, 2T). Sizes are never converted between systems, because
conversion tables differ by brand. A text that names several sizes gives them all; of one that
cannot be read to its end ("170/92A") nothing is taken: half of it would be another size.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from operators.catalog.size_words import ONE_SIZE, WORDED

_LETTERS = re.compile(r"(?:([2-9])x|(x{1,5}))?([sl])|m")
_JAPANESE = re.compile(r"([2-9])l|(l{2,3})|(s{2,3})")
_PLUS = re.compile(r"([1-6])x")
_SYSTEMS = {
    "uk": "UK",
    "gb": "UK",
    "us": "US",
    "usa": "US",
    "eu": "EU",
    "eur": "EU",
    "jp": "JP",
    "ind": "UK",
    "in": "UK",
    "cm": "CM",
    "jp_cm": "CM",
    "mm": "MM",
    "w": "WAIST",
}
"""Indian shoe sizes are the British ones (IS 1638)."""

_NUMBER = r"\d{1,3}(?:\.\d{1,2})?(?:[ -][1-9][/⁄][2-9])?"
_STATED = r"uk|usa|us|eur|eu|jp|ind"
_SYSTEM_FIRST = re.compile(rf"(?P<system>{_STATED}|w)[\s:/-]*(?P<number>{_NUMBER})")
# "7.5 M US", "9 B(M) US": a width stands between number and system.
_WIDTH = r"(?:m|medium|w|wide|[24]?e|[a-e]{1,3}\s*(?:\([mwn]\))?)\s*"
_NUMBER_FIRST = re.compile(
    rf"(?P<number>{_NUMBER})\s*"
    rf"(?:(?:{_WIDTH})?(?P<system>{_STATED})|(?P<unit>cm|mm))"
)
_JAPANESE_NUMBER = re.compile(r"(1?\d)\s*号")
_LABEL = re.compile(r"^(?:size|taille|größe|grösse|gr\.|talla|taglia|サイズ)[\s:.]*|サイズ$")
"""Words next to a size that do not change it."""
_BARE = re.compile(rf"(?P<number>{_NUMBER})")
_WAIST_AND_LENGTH = re.compile(rf"w?\s*({_NUMBER})\s*w?\s*(?:[/x×-]\s*l?|l)\s*(\d\d(?:\.5)?)\s*l?")
_AGE = re.compile(
    r"(\d{1,2})(?:\s*(?:-|–|~|to)\s*(\d{1,2}))?\s*"
    r"(?:(months?|mths?|mos?|mois|monate?|mesi|meses|か月|ヶ月|m)"
    r"|(years?|yrs?|ans?|anni|años|jahre|歳|才|y)|(t))\.?(?:\s*old)?"
)
_LISTED = re.compile(r"[,;|・、\n]")
_COMPOUND = re.compile(r"\s*[/()]\s*|\s+-\s+")
_HYPHEN = re.compile(r"(?<=[^\W_])\s*[-–~]\s*(?=[^\W_])")
_DECIMAL_COMMA = re.compile(r"(?<![\d,])(\d{2}),5(?!\d)")
_VULGAR = re.compile("[ -]?(?=[¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
_MAY_BE_DECIMAL = re.compile(r"(?<!\d)\d,(?:0|25|5|75)(?!\d)|\d,\s?[1-9]/[2-9]\b")
"""7 and 5, or 7.5; 10, 1 and 2, or 10 1/2."""
_WHOLE_NUMBERS = re.compile(r"\d{1,3}(?:,\d{1,3}){2,}")
_MAY_BE_TROUSERS = re.compile(r"(?:2[6-9]|3\d|40)/(?:2[89]|3[0-6])")
"""Of a system that has both numbers, or inches of waist and length."""

_BOUNDS = {
    "UK": (0, 60),
    "US": (0, 60),
    "EU": (0, 200),
    "JP": (0, 35),
    "CM": (8, 35),
    "WAIST": (18, 66),
}
"""Of numbers that are sizes of the system; EU's include children's heights."""
_SMALLEST_JAPANESE_FOOT_CM = 20
_LONGEST = 200
_MOST_SIZES, _MOST_PARTS = 50, 12
"""Of one text, and between the commas of one text."""


@dataclass(frozen=True, slots=True)
class _Size:
    """One size; a bare number has no system of its own."""

    value: str
    system: str | None = None
    speaks_for_earlier: bool = False
    """Its system stands behind it, for the numbers before it as well: 38/40 EU."""


def normalise_sizes(texts: Iterable[str], system: str | None) -> tuple[str, ...]:
    """The sizes in ``texts``, in order and without repetition; other texts are ignored.

    ``system``: the system of a bare number (UK, US, EU, JP, JP_CM, CM). None: ignore bare numbers.
    """
    found = (size for text in texts for size in _sizes(text, system))
    return tuple(dict.fromkeys(found))


def _sizes(text: str, system: str | None) -> list[str]:
    if len(text) > _LONGEST:
        return []
    # NFKC makes "101⁄2" of "10½".
    plain = unicodedata.normalize("NFKC", _VULGAR.sub(" ", text))
    plain = _LABEL.sub("", " ".join(plain.casefold().split()), count=1).strip()
    if len(plain) > _LONGEST or _is_ambiguous(plain):
        return []
    declared = _SYSTEMS.get(system.casefold()) if system is not None else None
    pieces = [
        _compound(piece.strip(), declared)
        for piece in _LISTED.split(_DECIMAL_COMMA.sub(r"\1.5", plain))[:_MOST_SIZES]
    ]
    return _named([size for piece in pieces for size in piece], declared)


def _is_ambiguous(plain: str) -> bool:
    """Whether its comma may be a decimal mark as well as stand between sizes, or its slash between
    waist and length. A list of three and more whole numbers ascends."""
    if _MAY_BE_TROUSERS.fullmatch(plain):
        return True
    if not _MAY_BE_DECIMAL.search(plain):
        return False
    if not _WHOLE_NUMBERS.fullmatch(plain):
        return True
    numbers = [int(number) for number in plain.split(",")]
    return any(low >= high for low, high in pairwise(numbers))


def _compound(plain: str, declared: str | None) -> list[_Size]:
    """All sizes that ``plain`` names; none when a part of it is something else."""
    if (whole := _one(plain)) is not None:
        return [whole]
    if len(_COMPOUND.findall(plain)) > _MOST_PARTS or plain.count("-") > _MOST_PARTS:
        return []
    letters = [_letters(word) for word in plain.split()]
    if len(letters) > 1 and None not in letters:
        return [_Size(letter, "ALPHA") for letter in letters if letter is not None]
    flat = plain.replace("(", " ").replace(")", " ").strip()
    if flat != plain and (whole := _one(" ".join(flat.split()))) is not None:
        return [whole]
    sizes = [_one(part) for part in _parts(plain)]
    if len(sizes) < 2 or None in sizes:
        return []
    found = [size for size in sizes if size is not None]
    bare = [float(size.value) for size in found if size.system is None]
    if "~" in plain and bare and declared not in ("JP", "CM"):
        return []  # ～ between numbers is Japanese, and so are the numbers
    return found if _is_ascending(bare) else []


def _parts(plain: str) -> Iterator[str]:
    """What is between slashes and brackets, and between hyphens that are not part of a word."""
    for part in filter(None, map(str.strip, _COMPOUND.split(plain))):
        yield from [part] if _one(part) is not None else filter(None, _HYPHEN.split(part))


def _is_ascending(numbers: list[float]) -> bool:
    """Whether the numbers of a compound may be of one system: 38/40, not 170/92 and not 8/39."""
    return all(low < high <= low + max(4, low / 4) for low, high in pairwise(numbers))


def _one(plain: str) -> _Size | None:
    """The size that the whole of ``plain`` is."""
    if (letters := _letters(plain)) is not None:
        return _Size(letters, "ALPHA")
    if age := _AGE.fullmatch(plain):
        return _age(age)
    for pattern in (_SYSTEM_FIRST, _NUMBER_FIRST):
        if match := pattern.fullmatch(plain):
            parts = match.groupdict()
            stated = parts["system"] or parts["unit"]
            size = _checked(_number(match["number"]), _SYSTEMS[stated])
            return size and replace(size, speaks_for_earlier=pattern is _NUMBER_FIRST)
    if match := _WAIST_AND_LENGTH.fullmatch(plain):
        return _waist(plain, match)
    if match := _JAPANESE_NUMBER.fullmatch(plain):
        return _Size(match[1], "JP")
    if match := _BARE.fullmatch(plain):
        return _Size(_number(match["number"]))
    return None


def _named(sizes: list[_Size], declared: str | None) -> list[str]:
    """``SYSTEM:value`` for each size.

    A bare number in a text that names a system is of that one (EU 38/40, 38/40 EU) when the numbers
    ascend as sizes of one system do; otherwise no size is read. Only before a system of another
    number it is of the declared one: 8 (EU 36). Beside an age no size is read: 2/3Y.
    """
    systems = {size.system for size in sizes}
    if {"AGE", None} <= systems:
        return []
    states = bool(systems - {None, "ALPHA", "AGE"})
    found: list[str] = []
    previous: _Size | None = None
    for place, size in enumerate(sizes):
        if size.system in ("ALPHA", "AGE"):
            found.append(f"{size.system}:{size.value}")
            continue
        named: _Size | None = size
        if size.system is None:
            system = _system_beside(size, previous, sizes[place:], declared) if states else declared
            named = _checked(size.value, system) if system else None
        if named is not None:
            found.append(f"{named.system}:{named.value}")
            previous = named
    return found


def _system_beside(
    size: _Size, previous: _Size | None, later: list[_Size], declared: str | None
) -> str | None:
    """The system of the bare number ``size`` in a text that states one."""
    if previous is not None:
        return previous.system if _follow([previous, size]) else None
    stated = next(one for one in later if one.system not in (None, "ALPHA", "AGE"))
    if stated.speaks_for_earlier:
        return stated.system if _follow([size, stated]) else None
    return declared if declared != stated.system else None


def _follow(sizes: list[_Size]) -> bool:
    return _is_ascending([float(size.value) for size in sizes])


def _letters(plain: str) -> str | None:
    """XL, XXL, 3XL: ``xxl`` and ``2xl`` are the same size, and so is the Japanese ``3l``."""
    if match := WORDED.fullmatch(plain):
        extras, spelled, digits, word = match.groups()
        count = int(digits) if digits else (extras or "").count("extra") + len(spelled or "")
        return "M" if word == "medium" else _many_x(count, word[0].upper())
    if " ".join(plain.replace("-", " ").split()) in ONE_SIZE:
        return "ONE"
    if match := _JAPANESE.fullmatch(plain):
        count = int(match[1]) if match[1] else len(match[2] or match[3])
        return _many_x(count - 1, "S" if match[3] else "L")
    if match := _LETTERS.fullmatch(plain):
        digits, spelled, letter = match.groups()
        count = int(digits) if digits else len(spelled or "")
        return _many_x(count, letter.upper()) if letter else "M"
    if match := _PLUS.fullmatch(plain):
        return plain.upper()
    return None


def _many_x(count: int, letter: str) -> str:
    return f"{'X' * count if count <= 2 else f'{count}X'}{letter}"


def _age(match: re.Match[str]) -> _Size | None:
    low, high, months, years, toddler = match.groups()
    if months == "m" and high is None:
        return None  # 6M is six months, or a shoe of medium width
    if high is not None and (int(low) >= int(high) or toddler):
        return None
    unit = "M" if months else "Y" if years else "T"
    return _Size(f"{int(low)}-{int(high)}{unit}" if high else f"{int(low)}{unit}", "AGE")


def _waist(plain: str, match: re.Match[str]) -> _Size | None:
    """Of trousers: W32 L34, 32x34. The length is not kept."""
    marked = any(letter in plain for letter in "wlx×")
    waist, length = _number(match[1]), float(match[2])
    return _checked(waist, "WAIST") if marked and 24 <= length <= 40 else None


def _checked(number: str, system: str) -> _Size | None:
    """None for a number that is no size of ``system``."""
    value = float(number)
    if system == "MM":
        system, value = "CM", value / 10
    # Japanese shoe sizes are foot lengths in cm; clothing sizes (7, 9, 11) are plain numbers.
    if system == "JP" and value >= _SMALLEST_JAPANESE_FOOT_CM:
        system = "CM"
    low, high = _BOUNDS[system]
    if not low <= value <= high:
        return None
    return _Size(number if value == 0 else f"{value:g}", system)


def _number(text: str) -> str:
    """``10 1/2`` is 10.5, ``38 2/3`` 38.67, ``08`` 8; ``00`` is a size of its own."""
    whole, _, fraction = text.replace("-", " ").replace("⁄", "/").partition(" ")
    if not fraction:
        return text if set(text) == {"0"} else f"{float(text):g}"
    above, below = fraction.split("/")
    return f"{round(float(whole) + int(above) / int(below), 2):g}"
