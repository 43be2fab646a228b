"""The log format of file topics: one record per line, as a JSON object.

    {"key": "acme:1", "value": "{...}", "headers": {"content": "packet"}}

The value stands as text when its bytes are UTF-8, else as ``"base64": "..."``; either way the
bytes come back unchanged. Headers are left out when there are none.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from schemas.records import MalformedRecord, Position, Record


def encode(record: Record) -> bytes:
    """``record`` as a line, newline included; its position is not part of it."""
    line: dict[str, Any] = {"key": record.key}
    try:
        line["value"] = record.value.decode()
    except UnicodeDecodeError:
        line["base64"] = base64.b64encode(record.value).decode()
    if record.headers:
        line["headers"] = dict(record.headers)
    try:
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate in key or headers: only its escape can be stored
        return json.dumps(line).encode() + b"\n"


def decode(line: bytes, position: Position) -> Record:
    """The record in ``line`` (with or without its newline); MalformedRecord when there is none."""
    try:
        fields = json.loads(line)
        key, headers = fields["key"], fields.get("headers", {})
        value = (
            base64.b64decode(fields["base64"], validate=True)
            if "base64" in fields
            else fields["value"].encode()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}"
    else:
        if isinstance(key, str) and _all_text(headers):
            return Record(key, value, headers, position)
        problem = "the key must be text, headers an object of texts"
    return MalformedRecord(
        "", line.removesuffix(b"\n"), {}, position, f"not a line of a file topic: {problem}"
    )


def _all_text(headers: object) -> bool:
    return isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())
