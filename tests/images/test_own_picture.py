"""A picture that a user names on the command line is read with the user's permissions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from operators.images.files import own_picture
from schemas.errors import ImageRefused
from tests.images import encoded_pictures as pictures

SIZE = len(pictures.PNG)


def test_a_file_is_read_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(pictures.PNG)
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    for name in (f"{tmp_path}/a.png", f"file://{tmp_path}/a.png", f"{tmp_path}/link.png"):
        assert own_picture(name, SIZE).data == pictures.PNG


def test_a_url_is_left_to_the_guard() -> None:
    assert own_picture("http://127.0.0.1/a.png", SIZE).url == "http://127.0.0.1/a.png"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(pictures.PNG + b"\0")
    os.mkfifo(tmp_path / "pipe.png")
    for name, reason in {
        "missing.png": "not-found",
        "large.png": "too-large",
        "pipe.png": "not-a-file",
        ".": "not-a-file",
        "a\0b": "not-found",
        "a" * 1000: "not-found",
    }.items():
        with pytest.raises(ImageRefused) as refused:
            own_picture(f"{tmp_path}/{name}", SIZE)
        assert refused.value.reason == reason


def test_a_device_without_an_end_is_not_read() -> None:
    with pytest.raises(ImageRefused, match="not a regular file"):
        own_picture("/dev/zero", SIZE)
