"""The items of a JSON document, each as its text: one that is broken costs no other.

A parser ends at the first fault. Here only quotes and brackets are followed, and each item is
parsed on its own. Memory is bounded by ``MAX_ROW_BYTES``, however long an item is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from operators.catalog.feeds.rows import MAX_ROW_BYTES
from schemas.errors import InvalidFile

_CHUNK = 65_536
_MARK = re.compile(r'["\[\]{},:]')
_BRACKET = re.compile(r'["\[\]{},]')
"""Within an item names don't matter."""
_STRING = re.compile(r'(?:[^"\\]++|\\.)*+', re.DOTALL)
"""The inside of a text, or what a chunk has of it."""
_NESTED = 6
"""Levels of brackets that one match passes over: nearly all items, ten times as fast."""


def _closed(levels: int) -> str:
    inner = rf"|\{{{_closed(levels - 1)}\}}|\[{_closed(levels - 1)}\]" if levels else ""
    return rf'(?:[^"\[\]{{}}]++|"(?:[^"\\]++|\\.)*+"{inner})*+'


_OBJECT = re.compile(rf"\{{{_closed(_NESTED)}\}}", re.DOTALL)
_OPENER = {"]": ord("["), "}": ord("{")}
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Item:
    """A value in the document, not parsed yet."""

    text: str
    is_cut: bool
    """Only its beginning was kept: it has more than ``MAX_ROW_BYTES`` characters."""
    is_document: bool
    """It is no item of a list, but the whole document."""


def json_items(name: str, text: TextIO, roots: tuple[str, ...]) -> Iterator[Item]:
    """The items of the list at each of ``roots``, dotted names. Of a document that is a list, its
    own items. "" is the document itself, when it has no such list; without ``roots``, too.

    Raises InvalidFile after the last item when brackets or quotes are not closed.
    """
    splitter = _Splitter(roots)
    number = 0
    begun = False
    while chunk := text.read(_CHUNK):
        if not begun and (begin := chunk.lstrip("\ufeff \t\r\n")):
            begun = True
            if begin[0] not in "[{":
                raise InvalidFile(
                    f"{name}: not JSON: it begins with {begin[:20]!r}", reason="broken-json"
                )
        for item in splitter.feed(chunk):
            number += 1
            yield item
        if splitter.is_lost:
            break
    if not splitter.is_closed:
        raise InvalidFile(
            f"{name}: not JSON after item {number}: brackets or quotes are not closed",
            reason="broken-json",
        )


class _Splitter:
    """Follows quotes and brackets through a document."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self._lists = frozenset(tuple(root.split(".")) for root in roots if root)
        self._may_be_document = not roots or "" in roots
        self._open = bytearray()
        """Brackets that are open."""
        self._objects = 0
        """Braces among them in the item."""
        self._after_comma = False
        self._names: list[str] = []
        """Of the value being read, in each of the open objects; "" in lists."""
        self._list_depth = 0
        """Brackets open around an item; 0: not in a list of items."""
        self._has_list = False
        self._in_text = False
        self._held = ""
        """A backslash whose letter is in the next chunk."""
        self._word: list[str] = []
        """The text read last outside items: it may be a name."""
        self._kept: list[str] = []
        self._size = 0
        self.is_lost = False
        """Brackets outside items do not match."""

    @property
    def is_closed(self) -> bool:
        """Whether the document may end here."""
        return not (self._open or self._in_text or self._held or self.is_lost)

    def feed(self, chunk: str) -> Iterator[Item]:
        """The items that end in ``chunk``."""
        chunk, self._held = self._held + chunk, ""
        begin = place = 0
        while place < len(chunk) and not self.is_lost:
            if self._in_text:
                place = self._read_text(chunk, place)
                continue
            found = (_BRACKET if self._list_depth else _MARK).search(chunk, place)
            if found is None:
                break
            mark, place = found[0], found.end()
            if mark == '"':
                self._in_text = True
                self._after_comma = False
                self._word = []
            elif self._list_depth:
                between = len(self._open) == self._list_depth
                if between and (whole := _OBJECT.match(chunk, found.start())):
                    place = whole.end()
                elif self._ends_item(mark):
                    self._keep(chunk, begin, found.start())
                    yield from self._take(is_document=False)
                    begin = found.start() if mark == "{" else place
                    self._begin_next(mark)
            elif mark in "[{":
                if not self._open:
                    self._has_list = False
                    self._begin_value()
                    begin = found.start()
                if self._enter(mark):
                    self._begin_value()
                    begin = place
            elif mark in "]}":
                self._leave(mark)
                if not self._open and self._may_be_document and not self._has_list:
                    self._keep(chunk, begin, place)
                    yield from self._take(is_document=True)
                    begin = place
            elif mark == ":" and self._names:
                self._names[-1] = "".join(self._word)[:_LONGEST_NAME]
        self._keep(chunk, begin, len(chunk) - len(self._held))

    def _read_text(self, chunk: str, place: int) -> int:
        found = _STRING.match(chunk, place)
        end = found.end() if found else place
        if not self._list_depth and sum(map(len, self._word)) < _LONGEST_NAME:
            self._word.append(chunk[place:end])
        if end == len(chunk):
            return end
        if chunk[end] == "\\":
            self._held = chunk[end:]
            return len(chunk)
        self._in_text = False
        return end + 1

    def _ends_item(self, mark: str) -> bool:
        """Follow a bracket or comma among items; whether an item ends at it."""
        depth = len(self._open) - self._list_depth
        after_comma, self._after_comma = self._after_comma, mark == ","
        if mark == ",":
            return depth == 0
        if mark in "[{":
            if mark == "{" and after_comma and depth == 1 and self._open[-1] == _OPENER["}"]:
                return True  # a comma in an object is followed by a name: the vendor forgot a brace
            self._push(mark)
            return False
        if depth == 0:
            return mark == "]"
        # A bracket closes the last of its kind: those that the vendor left open cost their item,
        # and one that was never opened is a fault within it.
        if mark == "]" or self._objects:
            opener = self._open.rfind(_OPENER[mark], self._list_depth)
            if opener >= 0:
                self._objects -= self._open.count(_OPENER["}"], opener)
                del self._open[opener:]
        return False

    def _begin_next(self, mark: str) -> None:
        """What follows an item that ended at ``mark``."""
        del self._open[self._list_depth :]
        self._objects = 0
        if mark == "{":
            self._push(mark)
        elif mark == "]":
            self._list_depth = 0
            self._open.pop()
            self._names.pop()

    def _push(self, mark: str) -> None:
        self._open += mark.encode()
        self._objects += mark == "{"
        self.is_lost = len(self._open) > MAX_ROW_BYTES

    def _enter(self, mark: str) -> bool:
        """Follow a bracket outside items; whether a list of items begins."""
        path = tuple(name for name in self._names if name)
        is_list = mark == "[" and (not self._open or path in self._lists)
        self._push(mark)
        self._objects = 0
        self._names.append("")
        if is_list:
            self._list_depth = len(self._open)
            self._has_list = True
        return is_list

    def _leave(self, mark: str) -> None:
        if not self._open or self._open[-1] != _OPENER[mark]:
            self.is_lost = True
            return
        self._open.pop()
        self._names.pop()

    def _begin_value(self) -> None:
        self._kept, self._size = [], 0

    def _keep(self, chunk: str, begin: int, end: int) -> None:
        is_wanted = self._list_depth or (self._may_be_document and not self._has_list)
        if is_wanted and self._size <= MAX_ROW_BYTES and begin < end:
            piece = chunk[begin:end]
            self._kept.append(piece)
            self._size += len(piece)

    def _take(self, *, is_document: bool) -> Iterator[Item]:
        text = "".join(self._kept)
        self._kept, size, self._size = [], self._size, 0
        if not text.isspace() and text:
            yield Item(text[:MAX_ROW_BYTES], size > MAX_ROW_BYTES, is_document)
