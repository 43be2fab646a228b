"""The text of an XML document: decoded, and what vendors write instead of XML mended."""

from __future__ import annotations

import codecs
import html.entities
import io
import re
from collections.abc import Iterator
from contextlib import suppress

from schemas.errors import InvalidFile

_CHUNK_BYTES = 65_536
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})

UNDECODABLE = "\ufdd0"
"""Takes the place of bytes that cannot be decoded: XML lets it in, and no vendor writes it, since
Unicode keeps it free for marks inside a program."""
_MARK_UNDECODABLE = "mark-undecodable"


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error(_MARK_UNDECODABLE, _mark)


def decoded_xml(name: str, stream: io.BufferedReader, declared: str | None) -> Iterator[str]:
    """The document as text; expat itself knows four encodings only."""
    begin = stream.read(_CHUNK_BYTES)
    encoding = declared or _declared_in(name, begin)
    decoder = codecs.getincrementaldecoder(encoding)(errors=_MARK_UNDECODABLE)
    first = decoder.decode(begin).lstrip("\ufeff \t\r\n")
    yield re.sub(r"^<\?xml[^>]*\?>", "", first)
    while chunk := stream.read(_CHUNK_BYTES):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _declared_in(name: str, begin: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if begin.startswith(mark):
            return encoding
    if begin.startswith((b"<\0", b"\0<")):
        return "utf-16-le" if begin[0] else "utf-16-be"
    declaration = re.match(
        rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"']", begin.removeprefix(codecs.BOM_UTF8)
    )
    encoding = declaration[1].decode() if declaration else "utf-8"
    codec = None
    with suppress(LookupError):
        codec = codecs.lookup(encoding)
    if codec is None or not codec._is_text_encoding:
        raise InvalidFile(
            f"{name}: it declares the encoding {encoding!r}, which there is not; set feed.encoding",
            reason="undecodable",
        )
    # Programs that write to a string declare UTF-16, and the string is saved as UTF-8.
    return "utf-8" if codec.name.startswith(("utf-16", "utf-32")) else codec.name


_TOKEN = re.compile(
    r"<!\[CDATA\[|\]\]>|&(?:#[0-9]{1,7};|#x[0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
)


_CUT_TOKEN = re.compile(r"(?:&[#A-Za-z0-9]{0,32}|<(?:!(?:\[[CDAT]{0,5})?)?|\]\]?)\Z")
"""A token whose rest may stand in the next chunk."""


def mended_xml(chunks: Iterator[str]) -> Iterator[str]:
    """Turn references that XML does not define into characters or literal text."""
    literal = False  # inside CDATA, where & is a letter

    def mend(match: re.Match[str]) -> str:
        nonlocal literal
        token = match[0]
        if token == "<![CDATA[":
            literal = True
        elif token == "]]>":
            literal = False
        elif not token.startswith("&"):
            return " "
        elif not literal:
            return _reference(token)
        return token

    held = ""
    for chunk in chunks:
        text = held + chunk
        cut = _CUT_TOKEN.search(text)
        held = cut[0] if cut else ""
        yield _TOKEN.sub(mend, text[: len(text) - len(held)])
    yield _TOKEN.sub(mend, held)


def _reference(token: str) -> str:
    if token.startswith("&#"):
        number = token[2:-1]
        code = int(number[1:], 16) if number[0] == "x" else int(number)
        allowed = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
        return token if allowed or 0x10000 <= code <= 0x10FFFF else " "
    if token == "&":
        return "&amp;"
    known = token[1:-1]
    if known in _XML_ENTITIES:
        return token
    meant = html.entities.html5.get(f"{known};")
    return f"&amp;{known};" if meant is None else "".join(f"&#{ord(letter)};" for letter in meant)
