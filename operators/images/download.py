"""Downloads encoded pictures: every address is checked, every host has its quota."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx

from operators.images.answers import REDIRECTS, announced_size, check_coding, check_status
from operators.images.bytes_in_flight import HeldBytes
from operators.images.guard import check_size, check_url
from operators.images.hosts import Quotas, Turn
from schemas.errors import ImageRefused, PictureUnavailable
from schemas.settings import ImageSettings

HEADERS = {
    "user-agent": "LookSync/0.1 (+https://looksync.dev)",
    "accept": "image/avif,image/webp,image/png,image/jpeg,image/*;q=0.8",
    # Pictures are compressed already; a content coding would only allow decompression bombs.
    "accept-encoding": "identity",
}


@dataclass(slots=True)
class _Download:
    """One picture's way, over all redirects."""

    vendor: Turn | None
    held: HeldBytes
    seconds_left: float


class Downloader:
    """Reads pictures over ``transport``, at most ``connections`` at once. Use from one event loop.

    Time that a download spends waiting for this process is not counted against its host.
    """

    def __init__(
        self, transport: httpx.AsyncBaseTransport, settings: ImageSettings, connections: int
    ) -> None:
        # The transport without httpx's client, which would keep cookies and follow redirects.
        self._transport = transport
        self._settings = settings
        self._slots = asyncio.Semaphore(connections)
        self._hosts = Quotas(connections, "host")
        self._vendors = Quotas(connections, "vendor")

    @property
    def hosts_shut(self) -> int:
        """Hosts of which nothing is asked now, because they kept failing."""
        return self._hosts.shut

    async def download(self, url: str, vendor: str | None, held: HeldBytes) -> bytes:
        """The body at ``url``. Every redirect's target is checked like ``url`` itself.

        Pictures of a ``vendor`` are tried again on a schedule, so they are turned away from a host
        that is slow or down. Without one, that happens only when other hosts answer.
        Raises ImageRefused or PictureUnavailable.
        """
        target = check_url(url)
        async with AsyncExitStack() as stack:
            turn = None
            if vendor is not None:
                turn = await stack.enter_async_context(self._vendors.turn(vendor, patient=False))
            download = _Download(turn, held, self._settings.timeout_seconds)
            for _ in range(self._settings.max_redirects + 1):
                answer = await self._ask(target, download)
                if isinstance(answer, bytes):
                    return answer
                target = answer
            raise ImageRefused(
                f"more than {self._settings.max_redirects} redirects", reason="redirects"
            )

    async def _ask(self, url: httpx.URL, download: _Download) -> bytes | httpx.URL:
        """The body, or where to look for it."""
        loop = asyncio.get_running_loop()
        host = f"{url.host}:{url.port or url.scheme}"
        async with self._hosts.turn(host, patient=download.vendor is None) as turn, self._slots:
            turn.start()
            if download.vendor is not None and not turn.is_trial:
                download.vendor.start()
            started = loop.time()
            try:
                async with asyncio.timeout(download.seconds_left):
                    return await self._answer(url, download.held)
            except (TimeoutError, httpcore.TimeoutException) as error:
                raise PictureUnavailable(
                    f"{url}: not fetched within {self._settings.timeout_seconds:g} s",
                    reason="timeout",
                ) from error
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                cause = str(error) or "the connection broke"
                raise PictureUnavailable(f"{url}: {cause}", reason="connection") from error
            finally:
                download.seconds_left -= loop.time() - started

    async def _answer(self, url: httpx.URL, held: HeldBytes) -> bytes | httpx.URL:
        # Limits of the single steps; the caller limits the whole.
        steps = ("connect", "read", "write", "pool")
        timeouts = dict.fromkeys(steps, self._settings.timeout_seconds)
        request = httpx.Request("GET", url, headers=HEADERS, extensions={"timeout": timeouts})
        response = await self._transport.handle_async_request(request)
        async with aclosing(response):
            if response.status_code in REDIRECTS:
                return check_url(response.headers.get("location", ""), base=url)
            check_status(url, response, datetime.now(UTC))
            return await self._body(url, response, held)

    async def _body(self, url: httpx.URL, response: httpx.Response, held: HeldBytes) -> bytes:
        limit = self._settings.max_bytes
        check_size(announced_size(response.headers) or 0, limit)
        content = bytearray()
        async for chunk in response.aiter_raw():
            check_size(len(content) + len(chunk), limit)
            held.add(len(chunk))
            content += chunk
        check_coding(url, response.headers, content)
        return bytes(content)
