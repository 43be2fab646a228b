"""What the vendors' records have in common: groups of fields, the choice of words, titles."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Literal

from sandbox.life.assortment import Style

Payload = dict[str, Any]

Group = Literal["title", "price", "stock", "pictures"]
"""Fields that a vendor changes together."""


def number_of(style: Style) -> int:
    """A number of the style's own that never changes."""
    return zlib.crc32(style.style_id.encode())


def pick(style: Style, words: tuple[str, ...]) -> str:
    """One of the words, always the same one for a style: vendors are consistent by item."""
    return words[number_of(style) % len(words)]


_NO_WORDS: Mapping[str, str] = {}


def titled(
    style: Style,
    *,
    colour: str,
    pattern: str,
    kind: str,
    unnamed: str,
    cuts: Mapping[str, str] = _NO_WORDS,
) -> str:
    """The garment in the vendor's words, without what this vendor does not tell of it.

    ``unnamed`` stands for the type where the category is told nowhere. What has a field of its
    own is in the title of two styles in three; what is told in the title only, always.
    ``cuts``: the vendor's words for sleeve, length and neckline, where they are not English.
    """
    garment, wordy = style.garment, number_of(style) % 3 != 0
    words = []
    if style.colour_told == "title" or (style.colour_told == "field" and wordy):
        words.append(colour)
    if style.pattern_told == "title" or (style.pattern_told == "field" and wordy):
        words.append(pattern)
    if style.category_told == "nowhere":
        return " ".join([*words, unnamed])
    seen = (garment.length, garment.sleeve, garment.neckline)
    words += [cuts.get(cut, cut) for cut in seen if cut]
    return " ".join([*words, kind])
