"""Writes each overlay's looksync.toml: the whole settings tree in force, every key explained.

    python -m k8s.settings_toml     (make k8s)

An overlay's settings are base/settings.toml under its own settings.toml, on the preset that they
name. The whole tree is written, not the few keys that differ: what a deployment runs with can be
read in its ConfigMap, and a default that changes with a release shows as a difference of this file.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from schemas.settings import Settings, load_settings

FOLDER = Path(__file__).resolve().parent
OVERLAYS = sorted(path.parent for path in FOLDER.glob("overlays/*/settings.toml"))
NAME = "looksync.toml"


def settings_of(overlay: Path) -> Settings:
    """What the pods of ``overlay`` run with, but for Secrets and each pod's own ordinal."""
    base = FOLDER / "base" / "settings.toml"
    with _without_our_variables():
        return load_settings(base, **tomllib.loads((overlay / "settings.toml").read_text()))


def toml_of(settings: Settings, title: str) -> str:
    """``settings`` as a file that :func:`schemas.settings.load_settings` reads back."""
    lines = [f"# Written by `make k8s` from {title}; change those.", ""]
    return "\n".join(lines + list(_section(settings, "", "LOOKSYNC_"))) + "\n"


def write_all() -> None:
    """Write the file of every overlay."""
    for overlay in OVERLAYS:
        title = f"base/settings.toml and overlays/{overlay.name}/settings.toml"
        (overlay / NAME).write_text(toml_of(settings_of(overlay), title), encoding="utf-8")


def _section(model: BaseModel, name: str, variables: str) -> Iterator[str]:
    """The lines of one table: its own keys, then the tables in it."""
    if name:
        yield f"[{name}]"
    tables: list[tuple[str, BaseModel]] = []
    for key, field in type(model).model_fields.items():
        value = getattr(model, key)
        if isinstance(value, BaseModel):
            tables.append((key, value))
            continue
        if field.description:
            yield f"# {field.description}"
        if isinstance(value, SecretStr) or "SecretStr" in str(field.annotation):
            yield f"# {key}: from a Secret, as {variables}{key.upper()}"
        elif value is None:
            yield f"# {key}: not set"
        elif _is_of_the_image(value):
            yield f"# {key}: the image's own"
        else:
            yield f"{key} = {_value(value)}"
    for key, table in tables:
        yield ""
        yield from _section(table, f"{name}.{key}" if name else key, f"{variables}{key.upper()}__")


def _is_of_the_image(value: object) -> bool:
    """A default that lies beside the code, wherever that is."""
    return str(FOLDER.parent) in str(value)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() | Path():
            return json.dumps(str(value), ensure_ascii=False)
        case list() | tuple():
            return f"[{', '.join(_value(item) for item in value)}]"
        case Mapping():
            pairs = (f"{key} = {_value(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
    raise TypeError(f"{value!r} has no form in TOML here: add one")


@contextmanager
def _without_our_variables() -> Iterator[None]:
    """Settings from files alone: who writes them may have LOOKSYNC_ variables set."""
    kept = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.upper().startswith("LOOKSYNC_")
    }
    try:
        yield
    finally:
        os.environ.update(kept)


if __name__ == "__main__":
    write_all()
