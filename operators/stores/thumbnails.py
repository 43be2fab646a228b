"""Thumbnails on any file system that fsspec supports: a local folder, S3, ..."""

from __future__ import annotations

import asyncio
import hashlib
import io
import uuid
from pathlib import Path
from typing import Any, Self

import fsspec
from fsspec.implementations.local import LocalFileSystem
from PIL.Image import Image, Resampling

from operators.served_calls import ServedCalls
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import ThumbnailSettings

JPEG_QUALITY = 85
"""Of 100; higher values make larger files (+30 % at 92) without a visible gain."""


REDUCING_GAP = 2.0
"""A larger picture is box-averaged to this many times the thumbnail first: Pillow's own value."""


class ThumbnailFolder:
    """A :class:`operators.ports.Thumbnails`: one JPEG per key.

    Files are spread over 65,536 folders by the hash of their key: about 180 files per folder for
    12 M thumbnails, and keys need not be valid file names. Readers never see a truncated file:
    local files are renamed into place, object stores replace whole objects.
    """

    def __init__(self, files: fsspec.AbstractFileSystem, root: str, max_side: int) -> None:
        """``max_side`` in pixels. Use :meth:`open`."""
        self._files = files
        self._root = root.rstrip("/")
        self._max_side = max_side
        self._served = ServedCalls()

    @classmethod
    def open(cls, settings: ThumbnailSettings) -> Self:
        """Raises Misconfigured when fsspec has no driver for the URL."""
        try:
            files, root = fsspec.core.url_to_fs(settings.url)
        except (ValueError, ImportError) as error:
            raise Misconfigured(
                f"thumbnails.url {settings.url!r}: {error}; use a folder, or a URL whose fsspec "
                "driver is installed"
            ) from error
        return cls(files, root, settings.max_side)

    async def require_writable(self) -> None:
        """Raise Misconfigured unless something can be written to a local folder."""
        if isinstance(self._files, LocalFileSystem):
            await asyncio.to_thread(self._try_to_write)

    def _try_to_write(self) -> None:
        trial = Path(self._root) / "trial"
        try:
            _replace(trial, b"trial")
            trial.unlink()
        except OSError as error:
            raise Misconfigured(
                f"thumbnails.url {self._root}: {error.strerror}; set it to a writable folder"
            ) from error

    async def put(self, key: str, image: Image) -> None:
        with self._served.call("put"):
            await asyncio.to_thread(self._put, key, image)

    async def get(self, key: str) -> bytes | None:
        with self._served.call("get"):
            return await asyncio.to_thread(self._get, key)

    async def delete(self, key: str) -> None:
        with self._served.call("delete"):
            await asyncio.to_thread(self._delete, key)

    def _path(self, key: str) -> str:
        digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return f"{self._root}/{digest[:2]}/{digest[2:4]}/{digest}.jpg"

    def _put(self, key: str, image: Image) -> None:
        scale = min(1.0, self._max_side / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        # A support of one pixel: a third of LANCZOS's work, and the same embeddings (decision 172).
        small = image.resize(size, Resampling.HAMMING, reducing_gap=REDUCING_GAP)
        encoded = io.BytesIO()
        small.save(encoded, "JPEG", quality=JPEG_QUALITY)
        path = self._path(key)
        try:
            if isinstance(self._files, LocalFileSystem):
                _replace(Path(path), encoded.getvalue())
            else:
                self._files.pipe_file(path, encoded.getvalue())
        except OSError as error:
            raise self._unavailable(error) from error

    def _get(self, key: str) -> bytes | None:
        try:
            content: Any = self._files.cat_file(self._path(key))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unavailable(error) from error
        return bytes(content)

    def _delete(self, key: str) -> None:
        try:
            self._files.rm_file(self._path(key))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: OSError) -> Unavailable:
        return Unavailable(f"thumbnails in {self._root}: {error}", reason="thumbnails")


def _replace(path: Path, content: bytes) -> None:
    """Write to a temporary file next to ``path``, then rename it: atomic within one folder."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
