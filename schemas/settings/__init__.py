"""The settings; :mod:`schemas.settings.tree` says where they are read from."""

from schemas.settings.api import ApiKey, ApiSettings
from schemas.settings.base import BatchSettings, Section
from schemas.settings.models import (
    EncoderSettings,
    ParserSettings,
    SegmenterSettings,
    VlmSettings,
)
from schemas.settings.stages import CatalogSettings, ImageSettings, MatchingSettings
from schemas.settings.stores import IndexSettings, RedisSettings, ThumbnailSettings
from schemas.settings.streaming import (
    FlowSettings,
    KafkaSettings,
    LookFlowSettings,
    StreamSettings,
    TopicSettings,
)
from schemas.settings.tree import PRESETS, Settings, load_settings

__all__ = [
    "PRESETS",
    "ApiKey",
    "ApiSettings",
    "BatchSettings",
    "CatalogSettings",
    "EncoderSettings",
    "FlowSettings",
    "ImageSettings",
    "IndexSettings",
    "KafkaSettings",
    "LookFlowSettings",
    "MatchingSettings",
    "ParserSettings",
    "RedisSettings",
    "Section",
    "SegmenterSettings",
    "Settings",
    "StreamSettings",
    "ThumbnailSettings",
    "TopicSettings",
    "VlmSettings",
    "load_settings",
]
