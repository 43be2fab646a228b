"""An HTTP transport that connects to checked addresses only.

Each host name is resolved once, its addresses are checked, and the connection is made to one of
them. A second, different DNS answer (DNS rebinding) therefore has no effect. TLS still verifies
the host name of the URL.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from ipaddress import ip_address

import httpcore
import httpx

from operators.images.addresses import Address, Reachable
from schemas.errors import PictureUnavailable


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to checked addresses only."""

    def __init__(self, reachable: Reachable) -> None:
        self._reachable = reachable
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of ``host`` that accepts.

        A single forbidden address refuses the whole host: a mix of public and private addresses
        suggests an attack. Raises ImageRefused, PictureUnavailable or httpcore.ConnectError.
        """
        self._reachable.check_port(port)
        addresses = await _resolve(host, port)
        for address in addresses:
            self._reachable.check_address(host, address)
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
    """Resolve ``host`` with the system's resolver, which also accepts 127.1 and 2130706433; these
    spellings are therefore checked like any other. Raises PictureUnavailable."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PictureUnavailable(f"{host}: no address found ({error})", reason="dns") from error
    numbers = [str(address[0]).partition("%")[0] for *_, address in found]
    return [ip_address(number) for number in dict.fromkeys(numbers)]


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport over a pool of checked HTTP/1.1 connections, without proxies.

    The pool is unbounded because a request cancelled while it waits for a connection leaks that
    connection for good (httpcore issue 1093, open in 1.0.9). Callers bound their own concurrency.
    """

    def __init__(self, reachable: Reachable, *, idle_connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=idle_connections,
            keepalive_expiry=15.0,
            network_backend=GuardedNetwork(reachable),
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
