"""Fetches pictures from outside, behind the guard.

Refused for good (ImageRefused): what the guard forbids, what the host says is not there, what is
too large, what is no picture. To be tried again (PictureUnavailable): time-outs, broken
connections, names without an address, server errors.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import httpcore
import httpx
from hishel import CacheOptions
from hishel.httpx import AsyncCacheTransport

from operators.images.decode import decode
from operators.images.guard import check_size, check_url, read_file
from operators.images.http_cache import FolderStorage
from operators.images.transport import GuardedTransport
from operators.ports import Picture
from schemas.errors import ImageRefused, PictureUnavailable
from schemas.looks import ImageReference
from schemas.settings import ImageSettings

HEADERS = {
    "user-agent": "LookSync/0.1 (+https://looksync.dev)",
    "accept": "image/avif,image/webp,image/png,image/jpeg,image/*;q=0.8",
    # Pictures are compressed already; a coding would only be a way to send a bomb.
    "accept-encoding": "identity",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 429})
"""Client errors that pass by themselves: time-out, too early, too many requests."""


class PictureFetcher:
    """A :class:`operators.ports.PictureSource`."""

    def __init__(self, settings: ImageSettings) -> None:
        self._settings = settings
        self._downloads = asyncio.Semaphore(settings.connections)
        self._threads = ThreadPoolExecutor(settings.decode_threads, "decode")
        transport: httpx.AsyncBaseTransport = GuardedTransport(
            allow_private=settings.allow_private_addresses, idle_connections=settings.connections
        )
        if settings.http_cache is not None:
            transport = AsyncCacheTransport(
                _RevalidatedByDefault(transport),
                FolderStorage(settings.http_cache, max_body_bytes=settings.max_bytes),
                rfc=CacheOptions(shared=True),
            )
        # Used directly: httpx's client would also keep cookies and look into redirects itself.
        self._transport = transport

    async def fetch(self, reference: ImageReference) -> Picture:
        content = await self._content(reference)
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._decoded, content
        )

    async def close(self) -> None:
        """Close the connections and end the threads."""
        await self._transport.aclose()
        await asyncio.to_thread(self._threads.shutdown)

    async def _content(self, reference: ImageReference) -> bytes:
        if reference.url is None:
            content = reference.data or b""
            check_size(len(content), self._settings.max_bytes)
            return content
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                if reference.url.lower().startswith("file:"):
                    return await asyncio.to_thread(
                        read_file,
                        reference.url,
                        self._settings.allowed_roots,
                        self._settings.max_bytes,
                    )
                url = check_url(reference.url)
                async with self._downloads:
                    return await self._download(url)
        except TimeoutError as error:
            raise PictureUnavailable(
                f"{reference.url}: not there after {self._settings.timeout_seconds:g} s",
                reason="timeout",
            ) from error

    async def _download(self, url: httpx.URL) -> bytes:
        """The body behind ``url``, redirects followed, each checked like the first."""
        for _ in range(self._settings.max_redirects + 1):
            try:
                response = await self._transport.handle_async_request(self._request(url))
                async with aclosing(response):
                    if response.status_code not in REDIRECTS:
                        return await self._body(url, response)
                    url = check_url(response.headers.get("location", ""), base=url)
            except httpcore.TimeoutException as error:
                raise PictureUnavailable(f"{url}: {error!r}", reason="timeout") from error
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                raise PictureUnavailable(f"{url}: {error!r}", reason="connection") from error
        raise ImageRefused(
            f"more than {self._settings.max_redirects} redirects", reason="redirects"
        )

    def _request(self, url: httpx.URL) -> httpx.Request:
        # Each step's limit; the whole fetch has its own, in _content.
        steps = ("connect", "read", "write", "pool")
        timeouts = dict.fromkeys(steps, self._settings.timeout_seconds)
        return httpx.Request("GET", url, headers=HEADERS, extensions={"timeout": timeouts})

    async def _body(self, url: httpx.URL, response: httpx.Response) -> bytes:
        _check_status(url, response.status_code)
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise ImageRefused(
                f"{url}: sent with content-encoding {coding}, which was not asked for",
                reason="content-encoding",
            )
        limit = self._settings.max_bytes
        announced = response.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit():
            check_size(int(announced), limit)
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            check_size(len(content), limit)
        return bytes(content)

    def _decoded(self, content: bytes) -> Picture:
        return decode(
            content, max_pixels=self._settings.max_pixels, max_side=self._settings.max_side
        )


def _check_status(url: httpx.URL, status: int) -> None:
    if status == 200:
        return
    said = f"{url}: the host answers {status}"
    if status >= 500 or status in PASSING:
        raise PictureUnavailable(said, reason="http-status")
    if status in (404, 410):
        raise ImageRefused(said, reason="not-found")
    if status in (401, 403, 451):
        raise ImageRefused(said, reason="forbidden")
    raise ImageRefused(said, reason="http-status")


class _RevalidatedByDefault(httpx.AsyncBaseTransport):
    """Makes responses that say nothing about their freshness be asked for again each time.

    RFC 9111 (4.2.2) lets a cache guess from Last-Modified; a picture that was old when it was
    first fetched would then not be seen to change for days.
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
