"""Conversion between records and Kafka messages, without loss.

Keys and header values are text in a record and bytes in a message. Bytes that are not UTF-8 become
lone surrogates (``surrogateescape``), and the same bytes again when they are written.
"""

from __future__ import annotations

from confluent_kafka import Message

from operators.streaming.kafka.clients import Headers
from schemas.records import MalformedRecord, Position, Record


def from_message(message: Message[bytes, bytes]) -> Record:
    """The record in ``message``; MalformedRecord when it has no value or no UTF-8 key."""
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
    """The key as Kafka stores it."""
    return _bytes(record.key)


def header_bytes(record: Record) -> Headers:
    """The headers as Kafka stores them."""
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
    except UnicodeEncodeError:  # a lone surrogate from JSON, not from bytes
        return text.encode(errors="surrogatepass")
