"""`looksync topics create|check` on file topics."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from schemas.settings import Settings, load_settings
from services.cli.topics import check, create


def file_topics(folder: Path, partitions: int) -> Settings:
    return load_settings(topics={"folder": folder, "partitions": partitions})


def checked(settings: Settings) -> tuple[int, str]:
    console = Console(file=StringIO(), width=200)
    code = check(settings, console)
    assert isinstance(console.file, StringIO)
    return code, console.file.getvalue()


def test_missing_topics_are_named_and_created(tmp_path: Path) -> None:
    settings = file_topics(tmp_path, 2)
    code, output = checked(settings)
    assert code == 1
    assert "looks.matched" in output
    assert "looksync topics create" in output

    create(settings, Console(quiet=True))

    assert checked(settings)[0] == 0


def test_another_number_of_partitions_is_reported(tmp_path: Path) -> None:
    create(file_topics(tmp_path, 2), Console(quiet=True))

    code, output = checked(file_topics(tmp_path, 3))

    assert code == 1
    assert "catalog.updates: 2 partitions, topics.partitions = 3" in output
