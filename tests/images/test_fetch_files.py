"""Only regular files below an allowed root are read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from schemas.errors import ImageRefused
from schemas.looks import ImageReference
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.images.conftest import OpenFetcher
from tests.images.encoded_pictures import PNG_HASH


@pytest.fixture
def tree(tmp_path: Path, settings: ImageSettings) -> Path:
    """root/ with files, links and special files; a secret outside it."""
    root = settings.allowed_roots[0]
    (tmp_path / "secret.png").write_bytes(pictures.PNG)
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "a.png").write_bytes(pictures.PNG)
    (root / "a.png").write_bytes(pictures.PNG)
    (root / "folder").mkdir()
    (root / "link-inside.png").symlink_to(root / "a.png")
    (root / "link-out.png").symlink_to(tmp_path / "secret.png")
    (root / "folder-out").symlink_to(tmp_path)
    (root / "circle.png").symlink_to(root / "circle.png")
    (root / "large.png").write_bytes(pictures.PNG + bytes(300_000))
    os.mkfifo(root / "pipe.png")
    return tmp_path


FILES = {
    "outside": ("file://{}/secret.png", "outside-roots"),
    "dots": ("file://{}/root/../secret.png", "outside-roots"),
    "encoded-dots": ("file://{}/root/%2e%2e/secret.png", "outside-roots"),
    "similar-root": ("file://{}/root-2/a.png", "outside-roots"),
    "outside-and-missing": ("file://{}/nothing.png", "outside-roots"),
    "link-out": ("file://{}/root/link-out.png", "outside-roots"),
    "link-folder-out": ("file://{}/root/folder-out/secret.png", "outside-roots"),
    "link-circle": ("file://{}/root/circle.png", "not-found"),
    "missing": ("file://{}/root/nothing.png", "not-found"),
    "below-a-file": ("file://{}/root/a.png/b.png", "not-found"),
    "folder": ("file://{}/root/folder", "not-a-file"),
    "root": ("file://{}/root", "not-a-file"),
    "pipe": ("file://{}/root/pipe.png", "not-a-file"),
    "device": ("file:///dev/zero", "outside-roots"),
    "large": ("file://{}/root/large.png", "too-large"),
    "other-host": ("file://server{}/root/a.png", "bad-url"),
    "relative": ("file:root/a.png", "bad-url"),
    "zero-byte": ("file://{}/root/a.png%00.jpg", "bad-url"),
    "long-name": ("file://{}/root/" + "a" * 300 + ".png", "unreadable"),
}


@pytest.mark.parametrize(("url", "reason"), FILES.values(), ids=FILES)
async def test_forbidden_and_unreadable_files_are_refused(
    tree: Path, settings: ImageSettings, open_fetcher: OpenFetcher, url: str, reason: str
) -> None:
    with pytest.raises(ImageRefused) as refusal:
        await open_fetcher(settings).fetch(ImageReference(url=url.format(tree)))
    assert refusal.value.reason == reason


async def test_a_link_within_its_root_is_followed(
    tree: Path, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    url = f"file://{tree}/root/link-inside.png"
    assert (await open_fetcher(settings).fetch(ImageReference(url=url))).pixel_hash == PNG_HASH


async def test_without_roots_no_file_is_read(
    tree: Path, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    fetcher = open_fetcher(settings.model_copy(update={"allowed_roots": ()}))
    with pytest.raises(ImageRefused) as refusal:
        await fetcher.fetch(ImageReference(url=f"file://{tree}/root/a.png"))
    assert refusal.value.reason == "outside-roots"


SWAPS = {"file": "folder/a.png", "folder": "folder", "outer-folder": "outer"}


@pytest.mark.parametrize("swapped", SWAPS.values(), ids=SWAPS)
async def test_a_link_swapped_in_after_the_check_leads_nowhere(
    tmp_path: Path,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
    swapped: str,
) -> None:
    """Whoever may write below a root wins the race here: the swap follows the check at once."""
    root = settings.allowed_roots[0]
    outside = tmp_path / "outside"
    for base in (root / "outer", outside, outside / "outer"):
        (base / "folder").mkdir(parents=True)
        (base / "folder" / "a.png").write_bytes(pictures.PNG)
    (outside / "a.png").write_bytes(pictures.PNG)
    target = root / ("outer" if swapped == "outer" else f"outer/{swapped}")
    decoy = outside / swapped

    is_relative_to = Path.is_relative_to

    def check_then_swap(path: Path, other: Path) -> bool:
        inside = is_relative_to(path, other)
        if inside and not target.is_symlink():
            target.rename(tmp_path / "away")
            target.symlink_to(decoy)
        return inside

    monkeypatch.setattr(Path, "is_relative_to", check_then_swap)
    with pytest.raises(ImageRefused) as refusal:
        await open_fetcher(settings).fetch(ImageReference(url=f"file://{root}/outer/folder/a.png"))
    assert target.is_symlink()
    assert refusal.value.reason in ("not-a-file", "not-found", "unreadable")


async def test_a_root_that_is_a_link_itself_is_the_operators_choice(
    tmp_path: Path, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    (settings.allowed_roots[0] / "a.png").write_bytes(pictures.PNG)
    linked = tmp_path / "linked"
    linked.symlink_to(settings.allowed_roots[0])
    fetcher = open_fetcher(settings.model_copy(update={"allowed_roots": (linked,)}))
    url = f"file://{linked}/a.png"
    assert (await fetcher.fetch(ImageReference(url=url))).pixel_hash == PNG_HASH


async def test_reading_files_leaves_no_descriptor_open(
    tree: Path, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    fetcher = open_fetcher(settings)
    await fetcher.fetch(ImageReference(url=f"file://{tree}/root/a.png"))
    before = len(os.listdir("/proc/self/fd"))
    for name in ("a.png", "folder", "pipe.png", "large.png", "a.png/b", "folder/missing.png"):
        with contextlib.suppress(ImageRefused):
            await fetcher.fetch(ImageReference(url=f"file://{tree}/root/{name}"))
    assert len(os.listdir("/proc/self/fd")) == before
