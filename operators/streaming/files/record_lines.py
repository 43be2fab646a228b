"""The format of file topics: one record per line, as a JSON object.

    {"key": "acme:1", "value": "{...}", "headers": {"content": "packet"}}

The value is text when its bytes are UTF-8, else ``"base64": "..."``; both preserve the bytes.
Empty headers are omitted.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from schemas.records import MalformedRecord, Position, Record

_JSON = json.JSONEncoder(ensure_ascii=False)


def encode(record: Record) -> bytes:
    """``record`` as a line with its newline, without its position."""
    line: dict[str, Any] = {"key": record.key}
    try:
        line["value"] = record.value.decode()
    except UnicodeDecodeError:
        line["base64"] = base64.b64encode(record.value).decode()
    if record.headers:
        line["headers"] = dict(record.headers)
    try:
        return _JSON.encode(line).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate in key or headers: JSON escapes it
        return json.dumps(line).encode() + b"\n"


def decode(line: bytes, position: Position) -> Record:
    """The record in ``line`` (with or without newline); MalformedRecord when it has no record."""
    try:
        fields = json.loads(line)
        key, headers = fields["key"], fields.get("headers", {})
        value = (
            base64.b64decode(fields["base64"], validate=True)
            if "base64" in fields
            else fields["value"].encode()
        )
    except KeyError as error:
        problem = f"{error} is missing"
    except (TypeError, AttributeError):
        problem = "it must be an object, and its value text"
    except (ValueError, RecursionError) as error:
        problem = str(error)
    else:
        if isinstance(key, str) and _all_text(headers):
            return Record(key, value, headers, position)
        problem = "the key must be a string, headers an object of strings"
    return MalformedRecord(
        "", line.removesuffix(b"\n"), {}, position, f"not a line of a file topic: {problem}"
    )


def _all_text(headers: object) -> bool:
    return isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())
