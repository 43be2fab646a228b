"""A drawn world in a temporary folder with its packets on the topic, for the benchmarks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from operators.streaming.files.topic import FileTopic
from sandbox.life import World, draw_world
from schemas.records import Record
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


@contextmanager
def drawn_world(
    products: int, looks: int, pictured: int | None = None
) -> Iterator[tuple[World, Settings]]:
    """Draw a world; yield it with settings whose paths are all in its temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = draw_world(
            folder / "world", seed=11, products=products, looks=looks, pictured=pictured
        )
        settings = settings_in(folder)
        publish(settings, settings.topics.updates, world.packet_records())
        yield world, settings


def publish(settings: Settings, name: str, records: Iterator[Record]) -> None:
    """Append ``records`` to the topic ``name``, which is created if missing."""
    topic = FileTopic(settings.topics.folder, name)
    topic.create(settings.topics.partitions)
    topic.append(records)


def records_of(settings: Settings, name: str) -> Iterator[Record]:
    """Read all records of the topic ``name``."""
    topic = FileTopic(settings.topics.folder, name)
    for partition in range(topic.partitions):
        yield from topic.read(partition)
