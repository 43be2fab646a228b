"""A drawn world on embedded parts in one folder, its packets on the topic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operators.streaming.files.topic import FileTopic
from sandbox.life import World
from schemas.settings import Settings, load_settings


def settings_in(folder: Path, **sections: Any) -> Settings:
    """Everything below ``folder``, which has the world in ``world``; further ``sections``."""
    return load_settings(
        topics={"folder": folder / "topics"},
        stream={"recovery_folder": folder / "recovery"},
        images={"allowed_roots": [folder / "world"], "http_cache": None},
        index={"path": folder / "index.sqlite"},
        redis={"folder": folder / "valkey"},
        thumbnails={"url": str(folder / "thumbnails")},
        **sections,
    )


def send_packets(world: World, settings: Settings) -> None:
    """Create catalog.updates, and put the world's packets on it."""
    updates = FileTopic(settings.topics.folder, settings.topics.updates)
    updates.create(settings.topics.partitions)
    updates.append(world.packet_records())
