"""The one tree of settings: defaults, then a preset, then a TOML file, then LOOKSYNC_ variables.

``LOOKSYNC_PRESET=production`` picks the preset, ``LOOKSYNC_CONFIG=path`` the TOML file (default:
looksync.toml in the working directory, when there is one). A nested value is set by a variable
with double underscores: ``LOOKSYNC_INDEX__KIND=weaviate``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from schemas.errors import Misconfigured
from schemas.settings.models import EncoderSettings, SegmenterSettings, VlmSettings
from schemas.settings.stages import CatalogSettings, ImageSettings, MatchingSettings
from schemas.settings.stores import IndexSettings, RedisSettings, ThumbnailSettings
from schemas.settings.streaming import (
    StreamSettings,
    TopicSettings,
)


class Settings(BaseSettings):
    """Everything the system can be told."""

    model_config = SettingsConfigDict(
        env_prefix="LOOKSYNC_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    preset: Literal["embedded", "production"] = "embedded"
    topics: TopicSettings = TopicSettings()
    stream: StreamSettings = StreamSettings()
    images: ImageSettings = ImageSettings()
    encoder: EncoderSettings = EncoderSettings()
    index: IndexSettings = IndexSettings()
    redis: RedisSettings = RedisSettings()
    thumbnails: ThumbnailSettings = ThumbnailSettings()
    vlm: VlmSettings = VlmSettings()
    segmenter: SegmenterSettings = SegmenterSettings()
    catalog: CatalogSettings = CatalogSettings()
    matching: MatchingSettings = MatchingSettings()
    log_format: Literal["console", "json"] = "console"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what :func:`load_settings` read from preset and file."""
        del dotenv_settings, file_secret_settings
        return env_settings, init_settings


PRESETS: dict[str, dict[str, Any]] = {
    "embedded": {
        # The model shares the cores with everything else: on a busy laptop a look takes longer.
        "stream": {"looks": {"deadline_seconds": 10.0}},
        "vlm": {"kind": "embedded"},
    },
    "production": {
        "topics": {"kind": "kafka"},
        "stream": {"looks": {"window": 64}},
        "encoder": {"model": "ViT-H-14/laion2b_s32b_b79k"},
        "index": {"kind": "weaviate"},
        "redis": {"kind": "url"},
        "vlm": {"kind": "openai"},
        "segmenter": {"kind": "florence-sam2"},
        "log_format": "json",
    },
}


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """The settings in force. ``overrides`` rank below the environment and above the file.

    Raises Misconfigured, naming the file or variable and the field.
    """
    named = config or (Path(p) if (p := os.environ.get("LOOKSYNC_CONFIG")) else None)
    path = named or Path("looksync.toml")
    from_file: dict[str, Any] = {}
    if path.exists():
        try:
            from_file = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error
    elif named:
        raise Misconfigured(f"{path}: there is no such settings file")
    chosen = {**from_file, **overrides}
    preset = os.environ.get("LOOKSYNC_PRESET", chosen.get("preset", "embedded"))
    if preset not in PRESETS:
        raise Misconfigured(f"preset {preset!r}: choose one of {', '.join(PRESETS)}")
    try:
        return Settings(**_merge(_merge(PRESETS[preset], from_file), overrides))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise Misconfigured(f"settings ({path} and LOOKSYNC_ variables): {problems}") from error


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = (
            _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return merged
