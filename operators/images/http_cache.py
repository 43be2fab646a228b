"""Storage of hishel's HTTP cache (RFC 9111): a folder with one file per URL.

hishel's own storages need anysqlite or Redis. A folder can be shared by several processes and
deleted at any time (docs/decisions/033).
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
"""Beyond this size the least recently used files are evicted."""

SWEEP_EVERY_BYTES = 64 * 2**20
"""Bytes that this process writes between two checks of the folder's size."""


@dataclass(frozen=True, slots=True)
class _StoredResponse:
    """The content of one file: all fields but the body as a line of JSON, then the body."""

    method: str
    url: str
    request_headers: dict[str, list[str]]
    status: int
    response_headers: dict[str, list[str]]
    body: bytes


class FolderStorage(AsyncBaseStorage):
    """Keeps one entry per cache key: all our requests have the same headers, so Vary never splits
    a URL into several responses.

    Disk errors only disable caching, as the base class requires. Entries expire by RFC 9111 alone;
    ``ttl`` and ``tti`` are ignored.
    """

    def __init__(self, folder: Path, *, max_body_bytes: int) -> None:
        super().__init__(max_stream_size=max_body_bytes)
        self._folder = folder
        self._max_body_bytes = max_body_bytes
        self._bytes_since_sweep = SWEEP_EVERY_BYTES  # sweep at the first write

    async def create_entry(
        self,
        request: Request,
        response: Response,
        key: str,
        *,
        ttl: float | None = None,
        tti: float | None = None,
    ) -> Entry:
        identity = uuid.UUID(key[:32])  # the key is a SHA-256 in hexadecimal digits
        assert isinstance(response.stream, AsyncIterator)
        stream = self._store_after_read(identity, request, response, response.stream)
        return Entry(identity, request, Response(response.status_code, response.headers, stream))

    async def get_entries(self, key: str) -> list[Entry]:
        identity = uuid.UUID(key[:32])
        stored = await asyncio.to_thread(self._read, identity)
        if stored is None:
            return []
        request = Request(stored.method, stored.url, Headers(stored.request_headers))
        headers = Headers(stored.response_headers)
        body = _single_chunk(stored.body)
        return [Entry(identity, request, Response(stored.status, headers, body))]

    async def update_headers(self, id: uuid.UUID, headers: Headers) -> None:
        stored = await asyncio.to_thread(self._read, id)
        if stored is not None:
            updated = replace(stored, response_headers=_to_dict(headers))
            await asyncio.to_thread(self._write, id, updated)

    async def remove_entry(self, id: uuid.UUID) -> None:
        with suppress(OSError):
            self._path(id).unlink()

    async def _store_after_read(
        self,
        identity: uuid.UUID,
        request: Request,
        response: Response,
        stream: AsyncIterator[bytes],
    ) -> AsyncIterator[bytes]:
        """Pass ``stream`` through; store the body once it has been read to the end."""
        chunks: list[bytes] = []
        size = 0
        async for chunk in stream:
            size += len(chunk)
            if size <= self._max_body_bytes:
                chunks.append(chunk)
            yield chunk
        if size <= self._max_body_bytes:
            stored = _StoredResponse(
                request.method,
                request.url,
                _to_dict(request.headers),
                response.status_code,
                _to_dict(response.headers),
                b"".join(chunks),
            )
            await asyncio.to_thread(self._write, identity, stored)

    def _path(self, identity: uuid.UUID) -> Path:
        return self._folder / identity.hex[:2] / identity.hex

    def _read(self, identity: uuid.UUID) -> _StoredResponse | None:
        """The stored response; None if there is none or the file is damaged."""
        path = self._path(identity)
        try:
            content = path.read_bytes()
            os.utime(path)  # the eviction order is the order of the last use
            head, _, body = content.partition(b"\n")
            return _StoredResponse(**json.loads(head), body=body)
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, identity: uuid.UUID, stored: _StoredResponse) -> None:
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
        self._bytes_since_sweep += len(content)
        if self._bytes_since_sweep >= SWEEP_EVERY_BYTES:
            self._bytes_since_sweep = 0
            self._sweep()

    def _sweep(self) -> None:
        """Evict the least recently used files until the folder is within its limit."""
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


async def _single_chunk(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _to_dict(headers: Headers) -> dict[str, list[str]]:
    return {name: list(headers.get_list(name) or []) for name in headers}
