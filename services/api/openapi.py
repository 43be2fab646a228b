"""The OpenAPI document: what FastAPI derives, and what it cannot see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas.api import NewLook, PreviewRequest
from services.api.examples import BODIES, PROBLEMS
from services.api.problems import MEDIA_TYPE, Problem

JSON = "application/json"

_REF = "#/components/schemas/{model}"
_EXAMPLE = "#/components/examples/"

Responses = dict[int | str, dict[str, Any]]

KEYED = ("unauthorized", "forbidden", "too-many-requests", "redis")
"""Codes of every route that needs a key."""


def problems(*codes: str) -> Responses:
    """Every error's answer, with ``codes`` as examples."""
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    content = {MEDIA_TYPE: {"schema": schema, "examples": _examples(codes)}}
    return {"default": {"description": "What went wrong.", "content": content}}


def picture_body(model: type[NewLook | PreviewRequest], field: str) -> dict[str, Any]:
    """The body of a route that reads its request itself: JSON, or multipart with the picture as a
    file and the rest in ``field``."""
    asked = next(one for one in BODIES.values() if type(one) is model)
    rest = asked.model_dump_json(exclude={"image"}, exclude_unset=True)
    multipart = {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {"type": "string", "format": "binary"},
            field: {
                "type": "string",
                "contentMediaType": JSON,
                "description": f"The other fields of {model.__name__}, as JSON.",
            },
        },
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"$ref": _REF.format(model=model.__name__)}},
                "multipart/form-data": {
                    "schema": multipart,
                    "example": {"image": "(the bytes of the picture)", field: rest},
                },
            },
        }
    }


def describe(app: FastAPI) -> None:
    """Complete the document of ``app``: the bodies that it reads itself, problems, examples, the
    key."""
    derive = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = derive()
            components = document.setdefault("components", {})
            _, definitions = models_json_schema(
                [(model, "validation") for model in (NewLook, PreviewRequest, Problem)],
                ref_template=_REF,
            )
            components.setdefault("schemas", {}).update(definitions["$defs"])
            components["examples"] = {
                name: {"value": _sent(example)} for name, example in (BODIES | PROBLEMS).items()
            }
            for content in _contents(document):
                _show(content)
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}, {}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _sent(example: BaseModel) -> Any:
    """As it is on the wire: clients leave out what they do not say, answers are complete."""
    is_request = example.model_config.get("extra") == "forbid"
    return example.model_dump(mode="json", exclude_unset=is_request)


def _contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of all requests and answers, by media type."""
    for path in document["paths"].values():
        for operation in path.values():
            for body in (operation.get("requestBody", {}), *operation["responses"].values()):
                yield from body.get("content", {}).values()


def _show(content: dict[str, Any]) -> None:
    """Add the examples of the model that ``content`` refers to."""
    model = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    names = [name for name, example in BODIES.items() if type(example).__name__ == model]
    if names:
        content["examples"] = _examples(names)


def _examples(names: Iterable[str]) -> dict[str, dict[str, str]]:
    return {name: {"$ref": _EXAMPLE + name} for name in names}
