"""HTTP to checked addresses only.

The address that is checked is the address that is connected to: a name is resolved once, here,
and the connection is made to a checked number, so a name server that answers differently the
second time ("DNS rebinding") gains nothing. TLS still verifies the name in the URL.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from ipaddress import ip_address

import httpcore
import httpx

from operators.images.guard import Address, check_address
from schemas.errors import PictureUnavailable


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses only."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of ``host`` that answers.

        One forbidden address among several refuses the host: who mixes them is up to something.
        """
        addresses = await _resolve(host, port)
        for address in addresses:
            check_address(address, allow_private=self._allow_private)
        failures: list[str] = []
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failures.append(f"{address}: {error}")
        raise httpcore.ConnectError("; ".join(failures))


async def _resolve(host: str, port: int) -> Sequence[Address]:
    """All addresses of ``host``, as the system's resolver reads it: it also understands 127.1 and
    2130706433, which are therefore checked like any other spelling."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PictureUnavailable(f"{host}: no address found ({error})", reason="dns") from error
    numbers = [str(address[0]).partition("%")[0] for *_, address in found]
    return [ip_address(number) for number in dict.fromkeys(numbers)]


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx over a connection pool that reaches checked addresses only; no proxies, HTTP/1.1.

    The pool has no limit: a request that is cancelled while it waits for a place would take the
    place with it for ever (httpcore issue 1093, open in 1.0.9). The caller limits himself.
    """

    def __init__(self, *, allow_private: bool, idle_connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=idle_connections,
            keepalive_expiry=15.0,
            network_backend=GuardedNetwork(allow_private=allow_private),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpcore's exceptions, ImageRefused and PictureUnavailable."""
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()
