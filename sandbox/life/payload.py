"""Shared by the vendors' records: groups of fields, choice of words, titles."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Literal

from sandbox.life.assortment import Style

Payload = dict[str, Any]

Group = Literal["title", "price", "stock", "pictures"]
"""Fields that a vendor changes together."""


def number_of(style: Style) -> int:
    """Return a stable number derived from the style's id."""
    return zlib.crc32(style.style_id.encode())


def pick(style: Style, words: tuple[str, ...]) -> str:
    """Choose one of the words, always the same for a style, as vendors are consistent."""
    return words[number_of(style) % len(words)]


_NO_WORDS: Mapping[str, str] = {}


def compose_title(
    style: Style,
    *,
    colour: str,
    pattern: str,
    kind: str,
    unnamed: str,
    cuts: Mapping[str, str] = _NO_WORDS,
) -> str:
    """Compose a title from the vendor's words for the attributes it states.

    An attribute stated only in the title is always included; one with a field of its own is
    included for two styles in three. ``unnamed`` replaces the type when the category is stated
    nowhere. ``cuts``: the vendor's words for sleeve, length and neckline, unless English.
    """
    garment, wordy = style.garment, number_of(style) % 3 != 0
    words = []
    if style.colour_stated == "title" or (style.colour_stated == "field" and wordy):
        words.append(colour)
    if style.pattern_stated == "title" or (style.pattern_stated == "field" and wordy):
        words.append(pattern)
    if style.category_stated == "nowhere":
        return " ".join([*words, unnamed])
    seen = (garment.length, garment.sleeve, garment.neckline)
    words += [cuts.get(cut, cut) for cut in seen if cut]
    return " ".join([*words, kind])
