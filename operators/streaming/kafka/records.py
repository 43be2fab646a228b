"""A record as a Kafka message and back; bytes that are no text survive the way through.

Keys and header values are text here and bytes there. Bytes that are not UTF-8 become text with
lone surrogates (``surrogateescape``), and the same bytes again when they are written.
"""

from __future__ import annotations

from confluent_kafka import Message

from schemas.records import MalformedRecord, Position, Record


def from_message(message: Message[bytes, bytes]) -> Record:
    """The record in ``message``; MalformedRecord when its key or value is none of ours."""
    position = _position(message)
    key, value = message.key(), message.value()
    pairs: list[tuple[str, object]] = []
    try:
        pairs.extend(message.headers() or [])  # type: ignore[arg-type]
    except UnicodeDecodeError:
        return MalformedRecord(
            _text(key), value or b"", {}, position, "the name of a header is not UTF-8"
        )
    headers = {str(name): _text(content) for name, content in pairs}
    if value is None:
        problem = "the value is null (a tombstone)"
    elif key is None:
        problem = "the key is null"
    else:
        try:
            return Record(key.decode(), value, headers, position)
        except UnicodeDecodeError:
            problem = "the key is not UTF-8"
    return MalformedRecord(_text(key), value or b"", headers, position, problem)


def key_bytes(record: Record) -> bytes:
    """The key as it is written."""
    return _bytes(record.key)


def header_bytes(record: Record) -> list[tuple[str, str | bytes | None]]:
    """The headers as they are written."""
    return [(name, _bytes(text)) for name, text in record.headers.items()]


def _position(message: Message[bytes, bytes]) -> Position:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None, "a message that was read"
    assert partition is not None, "a message that was read"
    assert offset is not None, "a message that was read"
    return Position(topic, partition, offset)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return content.decode(errors="surrogateescape") if isinstance(content, bytes) else ""


def _bytes(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate out of JSON, which no bytes stand behind
        return text.encode(errors="surrogatepass")
