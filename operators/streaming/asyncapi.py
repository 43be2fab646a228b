"""The AsyncAPI 3 document of the topics: derived from the models of their records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

from pydantic.json_schema import models_json_schema

from operators.streaming.dead_letters import DISCARDED, REPLAYED
from operators.streaming.kafka.admin import wanted_topics
from schemas.dead_letters import HEADER_PREFIX, DeadLetter
from schemas.export import TOPIC_RECORDS
from schemas.records import SOURCE, TRACE_HEADERS
from schemas.settings import TopicSettings

_SCHEMA = "#/components/schemas/{model}"
_BINDING = "0.5.0"
"""Version of AsyncAPI's binding for Kafka."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Topic:
    key: str
    written_by_flow: bool = False
    has_dead_letters: bool = False


@dataclass(frozen=True, slots=True)
class _Operation:
    action: Literal["send", "receive"]
    topic: str
    summary: str
    reply: str | None = None


_TOPICS = {
    "catalog.updates": _Topic("vendor:product_id", has_dead_letters=True),
    "catalog.changes": _Topic("vendor:product_id", written_by_flow=True),
    "looks.generated": _Topic("look_id", has_dead_letters=True),
    "looks.matched": _Topic("look_id", written_by_flow=True),
    "interactions": _Topic("user_id, or the event's id without one"),
}

_OPERATIONS = {
    "applyUpdates": _Operation(
        "receive",
        "catalog.updates",
        "The catalog flow applies what vendors send. A packet that changes nothing has no reply.",
        reply="catalog.changes",
    ),
    "matchLooks": _Operation(
        "receive",
        "looks.generated",
        "The look flow answers each look with exactly one event, unless it becomes a dead letter.",
        reply="looks.matched",
    ),
    "sendLooks": _Operation(
        "send", "looks.generated", "The HTTP API publishes looks; a look generator may, too."
    ),
    "sendInteractions": _Operation(
        "send", "interactions", "The HTTP API publishes what users do; an app may, too."
    ),
}


def asyncapi_document() -> str:
    """The document, as text. Names and configuration of the topics are those of the default
    settings."""
    settings = TopicSettings()
    configurations = {topic.name: topic.config for topic in wanted_topics(settings)}
    messages, schemas = _messages()
    channels: Json = {}
    operations = {name: _operation(one) for name, one in _OPERATIONS.items()}
    for name, topic in _TOPICS.items():
        channels[name] = _channel(name, [name], configurations[name])
        if topic.has_dead_letters:
            letters = settings.dead_letters(name)
            kinds = ["dead-letter", "dead-letter.mark"]
            channels[letters] = _channel(letters, kinds, configurations[letters])
            written = _Operation("send", letters, f"What a flow could not handle of {name}.")
            operations[f"send:{letters}"] = _operation(written)
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "LookSync topics",
            "version": version("looksync"),
            "description": "Keyed records on Kafka; file topics have the same in JSON Lines.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _messages() -> tuple[Json, Json]:
    """All messages, and the schemas that they refer to."""
    models = {name: TOPIC_RECORDS[name] for name in _TOPICS}
    payloads, definitions = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template=_SCHEMA
    )
    messages: Json = {}
    for name, model in models.items():
        topic = _TOPICS[name]
        messages[name] = {
            "title": name,
            "headers": _headers(topic.written_by_flow),
            "payload": payloads[(model, "validation")],
            **_key(topic.key),
        }
    messages["dead-letter"] = {
        "title": "Dead letter",
        "summary": "A record that a flow could not handle, its bytes unchanged, and why.",
        "contentType": "application/octet-stream",
        "headers": _letter_headers(),
        "payload": {"description": "The bytes of the record that failed."},
        **_key("As the record had."),
    }
    messages["dead-letter.mark"] = {
        "title": "Mark",
        "summary": "What became of a dead letter. Empty; not itself a letter.",
        "contentType": "application/octet-stream",
        "headers": _text_headers(
            {
                REPLAYED: "topic/partition/offset of the letter's record, which was sent again.",
                DISCARDED: "topic/partition/offset of the letter's record, which was given up.",
            }
        ),
        "payload": {"description": "Empty."},
        **_key("Of the letter."),
    }
    return messages, definitions["$defs"]


def _channel(name: str, messages: list[str], configuration: Json) -> Json:
    retention = configuration.get("retention.ms")
    own: Json = {
        "cleanup.policy": [configuration["cleanup.policy"]],
        "max.message.bytes": int(configuration["max.message.bytes"]),
    }
    if retention is not None:
        own["retention.ms"] = int(retention)
    return {
        "address": name,
        "messages": {one: {"$ref": f"#/components/messages/{one}"} for one in messages},
        "bindings": {"kafka": {"topicConfiguration": own, "bindingVersion": _BINDING}},
    }


def _operation(operation: _Operation) -> Json:
    described: Json = {
        "action": operation.action,
        "channel": {"$ref": f"#/channels/{operation.topic}"},
        "summary": operation.summary,
    }
    if operation.reply is not None:
        described["reply"] = {"channel": {"$ref": f"#/channels/{operation.reply}"}}
    return described


def _key(description: str) -> Json:
    key = {"type": "string", "description": description}
    return {"bindings": {"kafka": {"key": key, "bindingVersion": _BINDING}}}


def _headers(written_by_flow: bool) -> Json:
    described = dict.fromkeys(TRACE_HEADERS, "W3C Trace Context; copied to what is made from it.")
    if written_by_flow:
        described[SOURCE] = "topic/partition/offset of the record that this one was made from."
    return _text_headers(described)


def _letter_headers() -> Json:
    fields = DeadLetter.model_json_schema()["properties"]
    described = {name: field.get("description", "") for name, field in fields.items()}
    headers = _text_headers({f"{HEADER_PREFIX}{name}": text for name, text in described.items()})
    return {**headers, "required": list(headers["properties"])}


def _text_headers(described: dict[str, str]) -> Json:
    properties = {
        name: {"type": "string"} | ({"description": text} if text else {})
        for name, text in described.items()
    }
    return {"type": "object", "properties": properties}
