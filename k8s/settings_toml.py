"""Write each overlay's looksync.toml: the whole settings tree in force, every key explained.

    python -m k8s.settings_toml     (make k8s)

An overlay's settings are the preset, then base/settings.toml, then the overlay's settings.toml.
The whole tree is written, not only the keys that differ, so the ConfigMap shows what a deployment
runs with, and a default that changes with a release shows as a diff of this file.
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
    """The settings of the pods of ``overlay``, without Secrets and the pod's ordinal."""
    base = FOLDER / "base" / "settings.toml"
    with _looksync_variables_unset():
        return load_settings(base, **tomllib.loads((overlay / "settings.toml").read_text()))


def toml_of(settings: Settings, title: str) -> str:
    """``settings`` as a TOML file that :func:`schemas.settings.load_settings` can read."""
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
        elif _is_inside_the_image(value):
            yield f"# {key}: the image's own"
        else:
            yield f"{key} = {_value(value)}"
    for key, table in tables:
        yield ""
        yield from _section(table, f"{name}.{key}" if name else key, f"{variables}{key.upper()}__")


def _is_inside_the_image(value: object) -> bool:
    """Whether ``value`` is a path next to the code, which differs between machines."""
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
    raise TypeError(f"{value!r} cannot be written as TOML: add a case for its type")


@contextmanager
def _looksync_variables_unset() -> Iterator[None]:
    """Unset LOOKSYNC_ variables, so that the settings come from files alone; restore them after."""
    saved = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if name.upper().startswith("LOOKSYNC_")
    }
    try:
        yield
    finally:
        os.environ.update(saved)


if __name__ == "__main__":
    write_all()
