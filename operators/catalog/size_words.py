"""Words for sizes without a number."""

from __future__ import annotations

import re

WORDED = re.compile(
    r"(?:((?:extra[ -]?){1,3})|(x{1,5})[ -]?|([2-6])[ -]?x[ -]?)?(small|(?<![- x])medium|large)"
)
"""small, x-large, 2X-Large, extra extra large: its letters or digits before the word."""

ONE_SIZE = frozenset(
    {
        "one size",
        "onesize",
        "one size fits all",
        "one size fits most",
        "o/s",
        "os",
        "osfa",
        "osfm",
        "free",
        "free size",
        "freesize",
        "n/size",
        "universal",
        "tu",
        "taille unique",
        "unique",
        "einheitsgröße",
        "einheitsgrösse",
        "taglia unica",
        "talla única",
        "talla unica",
        "única",
        "unica",
        "フリー",
        "ワン",
        "均一",
        "均码",
        "均碼",
    }
)
"""English, French, German, Italian, Spanish, Japanese, Chinese; case-folded, without hyphens."""
ONE_SIZE = frozenset(word.casefold() for word in ONE_SIZE)
