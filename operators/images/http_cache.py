"""Where hishel (RFC 9111 caching) keeps responses: a folder, one file per URL.

hishel's own storages need anysqlite or Redis; pictures are files, and a folder can be shared by
processes and thrown away at any time (docs/decisions/033).
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hishel import AsyncBaseStorage, Entry, Headers, Request, Response

MAX_FOLDER_BYTES = 2 * 2**30
"""The least recently used files are removed beyond this."""

SWEEP_EVERY_BYTES = 64 * 2**20
"""Written by this process between two looks at the folder's size."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """One response as its file holds it: a line of JSON, then the body."""

    method: str
    url: str
    request_headers: dict[str, list[str]]
    status: int
    response_headers: dict[str, list[str]]
    body: bytes


class FolderStorage(AsyncBaseStorage):
    """One entry per cache key: all our requests carry the same headers, so Vary has one answer.

    A failing disk only loses the caching, as the base class asks. Expiry is RFC 9111's alone.
    """

    def __init__(self, folder: Path, *, max_body_bytes: int) -> None:
        super().__init__(max_stream_size=max_body_bytes)
        self._folder = folder
        self._max_body_bytes = max_body_bytes
        self._unswept = SWEEP_EVERY_BYTES  # look once at the start

    async def create_entry(
        self,
        request: Request,
        response: Response,
        key: str,
        *,
        ttl: float | None = None,
        tti: float | None = None,
    ) -> Entry:
        identity = uuid.UUID(key[:32])  # key: SHA-256 in hexadecimal digits
        assert isinstance(response.stream, AsyncIterator)
        stream = self._saved_when_read(identity, request, response, response.stream)
        return Entry(identity, request, Response(response.status_code, response.headers, stream))

    async def get_entries(self, key: str) -> list[Entry]:
        identity = uuid.UUID(key[:32])
        stored = await asyncio.to_thread(self._read, identity)
        if stored is None:
            return []
        request = Request(stored.method, stored.url, Headers(stored.request_headers))
        headers = Headers(stored.response_headers)
        return [Entry(identity, request, Response(stored.status, headers, _once(stored.body)))]

    async def update_headers(self, id: uuid.UUID, headers: Headers) -> None:
        stored = await asyncio.to_thread(self._read, id)
        if stored is not None:
            renewed = replace(stored, response_headers=_plain(headers))
            await asyncio.to_thread(self._write, id, renewed)

    async def remove_entry(self, id: uuid.UUID) -> None:
        with suppress(OSError):
            self._path(id).unlink()

    async def _saved_when_read(
        self,
        identity: uuid.UUID,
        request: Request,
        response: Response,
        stream: AsyncIterator[bytes],
    ) -> AsyncIterator[bytes]:
        """``stream`` passed through; stored when it has been read to its end."""
        chunks: list[bytes] = []
        size = 0
        async for chunk in stream:
            size += len(chunk)
            if size <= self._max_body_bytes:
                chunks.append(chunk)
            yield chunk
        if size <= self._max_body_bytes:
            stored = _Stored(
                request.method,
                request.url,
                _plain(request.headers),
                response.status_code,
                _plain(response.headers),
                b"".join(chunks),
            )
            await asyncio.to_thread(self._write, identity, stored)

    def _path(self, identity: uuid.UUID) -> Path:
        return self._folder / identity.hex[:2] / identity.hex

    def _read(self, identity: uuid.UUID) -> _Stored | None:
        path = self._path(identity)
        try:
            content = path.read_bytes()
            os.utime(path)  # used now
            head, _, body = content.partition(b"\n")
            return _Stored(**json.loads(head), body=body)
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, identity: uuid.UUID, stored: _Stored) -> None:
        head = asdict(stored)
        body = head.pop("body")
        content = json.dumps(head).encode() + b"\n" + body
        path = self._path(identity)
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            return
        self._unswept += len(content)
        if self._unswept >= SWEEP_EVERY_BYTES:
            self._unswept = 0
            self._sweep()

    def _sweep(self) -> None:
        """Remove the files used longest ago until the folder is within its limit."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob("*/*"):
            try:
                status = path.stat()
            except OSError:
                continue  # another process removed it
            files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= MAX_FOLDER_BYTES:
                return
            with suppress(OSError):
                path.unlink()
            total -= size


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _plain(headers: Headers) -> dict[str, list[str]]:
    return {name: list(headers.get_list(name) or []) for name in headers}
