"""The socket that the API listens on."""

from __future__ import annotations

import asyncio
import socket

from services.cli.serve import listen


async def test_the_parts_of_an_answer_are_not_held_back() -> None:
    """Nagle's algorithm would hold the body until the headers are acknowledged."""
    no_delay: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("socket")
        no_delay.set_result(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = listen("127.0.0.1", 0)
    async with await asyncio.start_server(accepted, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        assert await no_delay
        writer.close()
