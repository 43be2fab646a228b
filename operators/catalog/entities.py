"""Undo HTML entities: ``&amp;`` ``&#39;`` ``&pound;``."""

from __future__ import annotations

import html
import re

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
"""With its semicolon only: in ``?a=1&copy=2`` there is no ©."""


def without_entities(text: str) -> str:
    """``text`` with entities undone; twice, as shop systems escape what was escaped before."""
    for _ in range(2):
        if "&" not in text:
            return text
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    return text
