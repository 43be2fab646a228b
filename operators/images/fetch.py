"""Fetches pictures from untrusted URLs, files and bytes; every address is checked first.

Permanent failures (ImageRefused): forbidden by the guard, missing on the host, too large, not a
picture. Transient failures (PictureUnavailable): timeouts, broken connections, DNS failures,
server errors.
"""

from __future__ import annotations

import asyncio

import httpx
from hishel import CacheOptions
from hishel.httpx import AsyncCacheTransport

from operators.cores import available_cores
from operators.images.addresses import Reachable
from operators.images.bytes_in_flight import BytesInFlight, HeldBytes
from operators.images.decoding_pool import DecodingPool
from operators.images.download import Downloader
from operators.images.files import read_file
from operators.images.guard import check_size
from operators.images.http_cache import FolderStorage
from operators.images.transport import GuardedTransport
from operators.metering import Meter, unmetered
from operators.picture import WHOLE, Picture, Wanted
from schemas.errors import PictureUnavailable
from schemas.looks import ImageReference
from schemas.settings import ImageSettings

CONNECTIONS_PER_CORE = 32
"""One core decodes about 60 photographs a second, each of which may take half a second to come."""


class PictureFetcher:
    """Implements :class:`operators.ports.PictureSource`. Use from one event loop."""

    def __init__(self, settings: ImageSettings, meter: Meter = unmetered) -> None:
        """``meter``: of downloads."""
        self._settings = settings
        self._meter = meter
        cores = available_cores()
        connections = settings.connections or CONNECTIONS_PER_CORE * cores
        self._bytes = BytesInFlight(settings.max_bytes_in_flight, connections)
        self._decoding = DecodingPool(settings, settings.decode_workers or cores)
        transport: httpx.AsyncBaseTransport = GuardedTransport(
            Reachable.of(settings.private_hosts, settings.ports, "images.private_hosts"),
            idle_connections=connections,
        )
        if settings.http_cache is not None:
            transport = AsyncCacheTransport(
                _RevalidateByDefault(transport),
                FolderStorage(settings.http_cache, max_body_bytes=settings.max_bytes),
                rfc=CacheOptions(shared=True),
            )
        self._transport = transport
        self._downloader = Downloader(transport, settings, connections)

    @property
    def hosts_shut(self) -> int:
        """Hosts of which nothing is asked now, because they kept failing."""
        return self._downloader.hosts_shut

    async def fetch(
        self, reference: ImageReference, vendor: str | None = None, wanted: Wanted = WHOLE
    ) -> Picture:
        with self._bytes.picture() as held:
            return await self._decoding.decode(await self._read(reference, vendor, held), wanted)

    async def close(self) -> None:
        """Close the connections and stop the decoding processes."""
        await self._transport.aclose()
        await self._decoding.close()

    async def _read(self, reference: ImageReference, vendor: str | None, held: HeldBytes) -> bytes:
        if reference.url is None:
            content = reference.data or b""
            check_size(len(content), self._settings.max_bytes)
            return content
        if not reference.url.lower().startswith("file:"):
            with self._meter():
                return await self._downloader.download(reference.url, vendor, held)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                content = await asyncio.to_thread(
                    read_file,
                    reference.url,
                    self._settings.allowed_roots,
                    self._settings.max_bytes,
                )
        except TimeoutError as error:
            raise PictureUnavailable(
                f"{reference.url}: not read within {self._settings.timeout_seconds:g} s",
                reason="timeout",
            ) from error
        held.add(len(content))
        return content


class _RevalidateByDefault(httpx.AsyncBaseTransport):
    """Adds ``no-cache`` to responses without freshness information.

    RFC 9111 (4.2.2) lets a cache estimate freshness from Last-Modified; changes to an old picture
    would then go unnoticed for days.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        if "cache-control" not in response.headers and "expires" not in response.headers:
            response.headers["cache-control"] = "no-cache"
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()
