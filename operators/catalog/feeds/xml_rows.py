"""Items of an XML feed: RSS 2.0 (item), Atom (entry), or any element that the dialect names."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from xml.sax import ContentHandler, SAXException, SAXParseException
from xml.sax.xmlreader import AttributesNSImpl, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.sax import make_parser

from operators.catalog.feeds.dialect import Dialect
from operators.catalog.feeds.rows import MAX_DEPTH, MAX_ROW_BYTES, BadRow, Row
from operators.catalog.feeds.xml_text import UNDECODABLE, decoded_xml, mended_xml
from schemas.errors import InvalidFile

GOOGLE = "http://base.google.com/ns/1.0"
"""Namespace of Merchant Center's attributes: they take the plain name before the feed's own."""

_ATOM = "http://www.w3.org/2005/Atom"
_PLAIN = frozenset(
    {None, "", GOOGLE, _ATOM, "http://base.google.com/cns/1.0", "http://purl.org/rss/1.0/"}
)
"""Namespaces whose elements are called by their local name; others are `prefix:name`."""

_ITEMS = frozenset({"item", "entry"})
_FEEDS = frozenset({"rss", "feed", "RDF"})
"""Root elements of feeds, which may be empty."""
_ELEMENT_BYTES = 100
"""Of memory, for an element or attribute without a text."""
_MOST_IGNORED = 100_000
"""Open elements of a refused item, for each of which the parser keeps its name."""

Name = tuple[str | None, str]


def xml_rows(name: str, stream: io.BufferedReader, dialect: Dialect) -> Iterator[Row | BadRow]:
    """One row per item: element name -> text, list (repeated) or dict (nested).

    HTML's entities, bare ampersands and control characters are mended on the way; they are the
    most common faults of feeds. Raises InvalidFile when the file is no such feed, or where its
    elements do not close: it cannot be read on from there. Entities of its own and external
    references are refused.
    """
    parser = make_parser()
    handler = _Items(parser, dialect)
    parser.setContentHandler(handler)
    parser.setFeature("http://xml.org/sax/features/namespaces", True)
    try:
        silent, events = 0, 0
        for text in mended_xml(decoded_xml(name, stream, dialect.encoding)):
            parser.feed(text)
            # The parser keeps a tag or comment until it ends.
            silent, events = (silent if events == handler.events else 0) + len(text), handler.events
            if silent > MAX_ROW_BYTES:
                raise InvalidFile(
                    f"{name}: a tag or comment of more than {MAX_ROW_BYTES:,} characters",
                    reason="too-long",
                )
            yield from handler.take()
        if handler.root is None:
            raise InvalidFile(f"{name}: the file is empty", reason="broken-xml")
        parser.close()
        yield from handler.take()
        if not handler.has_items and handler.root not in _FEEDS:
            raise InvalidFile(
                f"{name}: <{handler.root}> has no {handler.wanted}; set feed.item to the name of "
                "the element that is a product",
                reason="no-items",
            )
    except SAXParseException as error:
        raise InvalidFile(
            f"{name}: line {error.getLineNumber()}: {error.getMessage()}", reason="broken-xml"
        ) from error
    except (SAXException, DefusedXmlException) as error:
        raise InvalidFile(f"{name}: {error}", reason="forbidden-xml") from error


class _Items(ContentHandler):
    """Collects complete items; keeps only the current one in memory."""

    def __init__(self, locator: Locator, dialect: Dialect) -> None:
        super().__init__()
        self._locator = locator
        self._items = frozenset({dialect.item}) if dialect.item else _ITEMS
        self._attributes = dialect.attributes
        self.root: str | None = None
        """Name of the root element, once it has been read."""
        self.has_items = False
        self.events = 0
        """Elements and texts so far."""
        self._done: list[Row | BadRow] = []
        self._prefixes: dict[str, str] = {}
        self._line = 0
        self._size = 0
        self._problem: tuple[str, str] | None = None
        self._open: list[_Element] = []
        """The item being read, and each element open in it."""
        self._ignored = 0
        """Elements open within those, of an item that is refused."""

    @property
    def wanted(self) -> str:
        """The elements that are items, for messages."""
        return " or ".join(f"<{name}>" for name in sorted(self._items))

    def take(self) -> list[Row | BadRow]:
        """The items that ended since the last call."""
        done, self._done = self._done, []
        return done

    def startPrefixMapping(self, prefix: str | None, uri: str) -> None:  # noqa: N802 - SAX's name
        if prefix and self._prefixes.setdefault(uri, prefix) != prefix:
            self._prefixes[uri] = min(prefix, self._prefixes[uri])

    def startElementNS(  # noqa: N802 - SAX's name
        self, name: Name, qname: str | None, attrs: AttributesNSImpl
    ) -> None:
        del qname
        self.root = self.root or name[1]
        self.events += 1
        if self._open:
            if len(self._open) > MAX_DEPTH:
                self._problem = ("too-deep", f"nested more than {MAX_DEPTH} levels deep")
            self._grow(_ELEMENT_BYTES)
            if self._problem is not None:
                self._ignored += 1
                if self._ignored > _MOST_IGNORED:
                    raise SAXException(f"elements nested more than {_MOST_IGNORED:,} levels deep")
                return
            # Atom writes links as <link href="..."/>.
            href = attrs.get((None, "href")) if name[1] == "link" else None
            self._open.append(self._with_attributes(_Element([href] if href else []), attrs))
        elif name[1] in self._items:
            self.has_items = True
            self._line = self._locator.getLineNumber() or 0
            self._size = 0
            self._problem = None
            self._open.append(self._with_attributes(_Element(), attrs))

    def _with_attributes(self, element: _Element, attrs: AttributesNSImpl) -> _Element:
        if self._attributes:
            for (_, attribute), value in attrs.items():
                self._grow(len(value) + _ELEMENT_BYTES)
                element.children[f"@{attribute}"] = value
        return element

    def characters(self, content: str) -> None:
        self.events += 1
        if not self._open:
            return
        self._grow(len(content))
        if UNDECODABLE in content:
            self._problem = ("undecodable", "bytes of another encoding; set feed.encoding")
        if self._problem is None:
            self._open[-1].text.append(content)

    def _grow(self, characters: int) -> None:
        self._size += characters
        if self._size > MAX_ROW_BYTES and self._problem is None:
            self._problem = ("too-long", f"an item of more than {MAX_ROW_BYTES:,} characters")

    def endElementNS(self, name: Name, qname: str | None) -> None:  # noqa: N802 - SAX's name
        del qname
        if not self._open:
            return
        if self._ignored:
            self._ignored -= 1
            return
        element = self._open.pop()
        if self._open:
            self._open[-1].add(self._called(name), element.value(), own=name[0] == GOOGLE)
        elif self._problem is not None:
            self._done.append(BadRow(self._line, *self._problem))
        else:
            self._done.append(Row(self._line, element.children))

    def _called(self, name: Name) -> str:
        uri, local = name
        if uri in _PLAIN:
            return local
        return f"{self._prefixes.get(uri or '', 'ns')}:{local}"


class _Element:
    """An element being read."""

    def __init__(self, text: list[str] | None = None) -> None:
        self.children: dict[str, Any] = {}
        self.text: list[str] = text or []
        self._google: set[str] = set()
        """Names of the children that came in Google's namespace."""

    def value(self) -> Any:
        """Its text; with children or attributes a dict."""
        text = "".join(self.text).strip()
        if not self.children:
            return text
        only_attributes = all(name.startswith("@") for name in self.children)
        return {**self.children, "#text": text} if only_attributes else self.children

    def add(self, name: str, value: Any, *, own: bool) -> None:
        """A repeated element becomes a list; Google's replaces the feed's own of the same name."""
        if own and name not in self._google:
            self._google.add(name)
            self.children[name] = value
        elif not own and name in self._google:
            return
        elif name not in self.children:
            self.children[name] = value
        elif isinstance(self.children[name], list):
            self.children[name].append(value)
        else:
            self.children[name] = [self.children[name], value]
