"""Clean vendors' texts: what a reader of the shop's page would see."""

from __future__ import annotations

import math
import re

from operators.catalog.describe import describe
from operators.catalog.entities import without_entities
from schemas.errors import InvalidUpdate

NULL_WORDS = frozenset(
    {
        "",
        "n/a",
        "n.a.",
        "#n/a",
        "<na>",
        "-",
        "--",
        "–",
        "—",
        "null",
        "\\n",
        "none",
        "nan",
        "undefined",
    }
)
"""Case-folded words that shop systems, spreadsheets and databases write where there is no value."""

_LONGEST_NULL_WORD = 40
_MOST_READ = 100_000
"""Characters of a text that are looked at."""
_MOST_DIGITS = 100
_INVISIBLE = {0x200B: " "} | dict.fromkeys(
    (0xAD, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
)
"""Soft hyphen, marks of direction and joiners of words; a space without a width (U+200B) is one
between words. The joiners U+200C and U+200D stay: Indian scripts and emoji need them."""
_INVALID = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_MARKED_AS_UTF8 = "ï»¿"
"""A byte order mark that was read as Windows-1252."""
_MARKUP = re.compile(f"[<&]|^{_MARKED_AS_UTF8}")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)\b(?:(?:[^<>\"']|\"[^<\"]*\"|'[^<']*')*+>|[^<>]*>)")
"""A quoted attribute may contain >; a quote may also be open."""
_INLINE = (
    "a abbr b bdi bdo big cite code del em font i ins kbd mark q s small span strike strong sub sup"
    " tt u var wbr"
)
_BLOCKS = (
    "address article aside audio blockquote body br button caption center col colgroup dd details"
    " dfn div dl dt embed fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr"
    " html iframe img input label legend li link main meta nav noscript object ol option p param"
    " picture pre script section select source style summary svg table tbody td textarea tfoot th"
    " thead time title tr track ul video"
)
_INLINE_TAGS = frozenset(_INLINE.split())
_TAGS = _INLINE_TAGS.union(_BLOCKS.split())


def plain_text(value: object) -> tuple[str, bool]:
    """``value`` as one line of text without markup, and whether invalid characters were removed.

    Raises InvalidUpdate when it is neither a text nor a number.
    """
    text = value if isinstance(value, str) else _printed(value)
    if text.isprintable() and not _MARKUP.search(text):
        return (text if "  " not in text else " ".join(text.split())).strip(), False
    text = without_entities(text[:_MOST_READ]).removeprefix(_MARKED_AS_UTF8)
    if "<" in text:
        text = _without_tags(text)
    valid = _INVALID.sub("", text)
    return " ".join(valid.translate(_INVISIBLE).split()), valid != text


def is_null(text: str, words: frozenset[str] = NULL_WORDS) -> bool:
    """Whether ``text`` is one of ``words``, which say that there is no value."""
    return len(text) <= _LONGEST_NULL_WORD and text.strip().casefold() in words


def _printed(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidUpdate(f"must be a text, is {describe(value)}", reason="wrong-type")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidUpdate(f"must be a text, is {value}", reason="wrong-type")
    if isinstance(value, int) and abs(value) >= 10**_MOST_DIGITS:
        raise InvalidUpdate(f"a number has more than {_MOST_DIGITS} digits", reason="too-long")
    return str(value)


def _without_tags(text: str) -> str:
    """Tags that HTML does not have stay: "size <M>"."""
    for start, end in (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>")):
        text = _without_spans(text, start, end)
    return _TAG.sub(_between, text)


def _between(tag: re.Match[str]) -> str:
    name = tag[1].lower()
    if name not in _TAGS:
        return tag[0]
    return "" if name in _INLINE_TAGS else " "


def _without_spans(text: str, start: str, end: str) -> str:
    """``text`` without what stands between ``start`` and ``end``; in one pass, whatever it says."""
    kept: list[str] = []
    lowered, position = text.lower(), 0
    if len(lowered) != len(text):  # some capital letters have a longer small form
        return text
    while (begin := lowered.find(start, position)) >= 0:
        close = lowered.find(end, begin)
        if close < 0:
            break
        kept.append(text[position:begin])
        position = close + len(end)
    return " ".join([*kept, text[position:]])
