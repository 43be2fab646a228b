"""All settings: defaults, overridden by a preset, a TOML file and LOOKSYNC_ variables, in order.

``LOOKSYNC_PRESET=production`` selects the preset, ``LOOKSYNC_CONFIG=path`` the TOML file (default:
looksync.toml in the working directory, if it exists). Double underscores separate the levels of a
nested setting: ``LOOKSYNC_INDEX__KIND=weaviate``.
"""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from schemas.errors import Misconfigured, list_problems
from schemas.rerank import RerankMethod
from schemas.settings.api import ApiSettings
from schemas.settings.models import (
    EncoderSettings,
    ParserSettings,
    SegmenterSettings,
    VlmSettings,
)
from schemas.settings.stages import CatalogSettings, ImageSettings, MatchingSettings
from schemas.settings.stores import IndexSettings, RedisSettings, ThumbnailSettings
from schemas.settings.streaming import (
    StreamSettings,
    TopicSettings,
)


class Settings(BaseSettings):
    """All settings of the system."""

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
    parser: ParserSettings = ParserSettings()
    segmenter: SegmenterSettings = SegmenterSettings()
    catalog: CatalogSettings = CatalogSettings()
    matching: MatchingSettings = MatchingSettings()
    api: ApiSettings = ApiSettings()
    log_format: Literal["console", "json"] = "console"

    @model_validator(mode="after")
    def _scores_have_a_server(self) -> Self:
        """The other methods ask the model that describes; a score is another model's."""
        scored = self.vlm.kind == "openai" and self.vlm.score_url is not None
        if RerankMethod.SCORE in self.matching.rerank_methods and not (
            scored or self.vlm.kind == "none"
        ):
            raise ValueError(
                'matching.rerank = "score" needs vlm.kind = "openai" and vlm.score_url, the server '
                "of a reranking model; choose another method for a model in this process"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment overrides what :func:`load_settings` read from preset and file."""
        del dotenv_settings, file_secret_settings
        return env_settings, init_settings


PRESETS: dict[str, dict[str, Any]] = {
    "embedded": {
        # The model shares the CPU with everything else: on a busy laptop a look takes longer.
        "stream": {"looks": {"deadline_seconds": 10.0}},
        "vlm": {"kind": "embedded"},
    },
    "production": {
        "topics": {"kind": "kafka"},
        "stream": {"looks": {"window": 64}},
        "encoder": {"model": "marqo-fashionSigLIP"},
        "index": {"kind": "weaviate"},
        "redis": {"kind": "url"},
        "vlm": {"kind": "openai"},
        "segmenter": {"kind": "florence-sam2"},
        "log_format": "json",
    },
}


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Load the settings. ``overrides`` rank below the environment and above the file.

    Raises Misconfigured, which names the file or variable and the field.
    """
    named = config or (Path(p) if (p := os.environ.get("LOOKSYNC_CONFIG")) else None)
    path = named or Path("looksync.toml")
    from_file: dict[str, Any] = {}
    try:
        from_file = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            raise Misconfigured(f"{path}: this settings file does not exist") from None
    except OSError as error:
        raise Misconfigured(
            f"{path}: this settings file cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}: this settings file is not UTF-8 ({error})") from error
    except RecursionError as error:
        raise Misconfigured(f"{path}: this settings file is nested too deeply") from error
    except ValueError as error:  # TOML's, and a path that no file can have
        raise Misconfigured(f"{path}: this settings file is not valid TOML: {error}") from error
    chosen = {**from_file, **overrides}
    preset = os.environ.get("LOOKSYNC_PRESET", chosen.get("preset", "embedded"))
    if preset not in PRESETS:
        raise Misconfigured(f"preset {preset!r}: choose one of {', '.join(PRESETS)}")
    try:
        return Settings(**_merge(_merge(PRESETS[preset], from_file), overrides))
    except ValidationError as error:
        raise Misconfigured(
            f"settings ({path} and LOOKSYNC_ variables): {list_problems(error)}{_suggest(error)}"
        ) from error


def _merge(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in overrides.items():
        old = merged.get(name)
        merged[name] = (
            _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return merged


def _suggest(error: ValidationError) -> str:
    """What misspelt settings were probably meant to be."""
    meant = []
    for problem in error.errors():
        if problem["type"] == "extra_forbidden":
            *sections, name = map(str, problem["loc"])
            fields = Settings.model_fields
            for section in sections:
                inner = fields[section].annotation if section in fields else None
                if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
                    break
                fields = inner.model_fields
            meant += [".".join((*sections, near)) for near in get_close_matches(name, fields, n=1)]
    return f"; did you mean {', '.join(meant)}?" if meant else ""
