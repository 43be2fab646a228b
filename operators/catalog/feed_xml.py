"""Items of a Google Merchant XML feed: RSS 2.0 (item) or Atom (entry), `g:` namespace or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax import ContentHandler, SAXException, SAXParseException
from xml.sax.xmlreader import AttributesNSImpl, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.sax import make_parser

from operators.catalog.feed_formats import MAX_ROW_BYTES, BadRow, Row
from schemas.errors import InvalidFile

_ROOTS = frozenset({"rss", "feed", "RDF"})
_ITEMS = frozenset({"item", "entry"})
_CHUNK_BYTES = 65_536

Name = tuple[str | None, str]


def xml_rows(path: Path) -> Iterator[Row | BadRow]:
    """One row per item: element name without namespace -> text, list (repeated) or dict (nested).

    Raises InvalidFile when the file is no such feed, or breaks off: an XML file can't be read on
    after an error. Entities and external references are refused.
    """
    parser = make_parser()
    # Fed piece by piece, the parser sets no locator; it is one itself.
    handler = _Items(parser)
    parser.setContentHandler(handler)
    parser.setFeature("http://xml.org/sax/features/namespaces", True)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                parser.feed(chunk)
                yield from handler.take()
            parser.close()
            yield from handler.take()
        if not handler.root_seen:
            raise InvalidFile(f"{path}: the file is empty", reason="broken-xml")
    except SAXParseException as error:
        raise InvalidFile(
            f"{path}: line {error.getLineNumber()}: {error.getMessage()}", reason="broken-xml"
        ) from error
    except (SAXException, DefusedXmlException) as error:
        raise InvalidFile(f"{path}: {error}", reason="forbidden-xml") from error


class _Items(ContentHandler):
    """Collects the items that end; holds no more of the file than the item being read."""

    def __init__(self, locator: Locator) -> None:
        super().__init__()
        self._locator = locator
        self.root_seen = False
        self._done: list[Row | BadRow] = []
        self._line = 0
        self._size = 0
        self._open: list[tuple[dict[str, Any], list[str]]] = []
        """Of the item being read, and of each element open in it: children and pieces of text."""

    def take(self) -> list[Row | BadRow]:
        """The items that ended since the last call."""
        done, self._done = self._done, []
        return done

    def startElementNS(  # noqa: N802 - SAX's name
        self, name: Name, qname: str | None, attrs: AttributesNSImpl
    ) -> None:
        del qname
        local = name[1]
        if not self.root_seen:
            if local not in _ROOTS:
                raise SAXException(f"<{local}> is neither an RSS nor an Atom feed")
            self.root_seen = True
        if self._open:
            # Atom writes links as <link href="..."/>.
            href = attrs.get((None, "href")) if local == "link" else None
            self._open.append(({}, [href] if href else []))
        elif local in _ITEMS:
            self._line = self._locator.getLineNumber() or 0
            self._size = 0
            self._open.append(({}, []))

    def characters(self, content: str) -> None:
        if self._open:
            self._size += len(content)
            if self._size <= MAX_ROW_BYTES:
                self._open[-1][1].append(content)

    def endElementNS(self, name: Name, qname: str | None) -> None:  # noqa: N802 - SAX's name
        del qname
        if not self._open:
            return
        children, pieces = self._open.pop()
        value: Any = children or "".join(pieces).strip()
        if self._open:
            _add(self._open[-1][0], name[1], value)
        elif self._size > MAX_ROW_BYTES:
            self._done.append(
                BadRow(self._line, "too-long", f"an item of more than {MAX_ROW_BYTES} characters")
            )
        else:
            self._done.append(Row(self._line, children))


def _add(children: dict[str, Any], name: str, value: Any) -> None:
    """A repeated element becomes a list."""
    if name not in children:
        children[name] = value
    elif isinstance(children[name], list):
        children[name].append(value)
    else:
        children[name] = [children[name], value]
