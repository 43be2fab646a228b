"""A vendor whose host never answers and one whose host answers at once: a ratio within one run.

    python -m benchmarks.slow_vendor [PICTURES]

The real fetcher under the flow's calls, over the loopback. Both runs fetch the same pictures of the
good host; in the second one, as many packets of another vendor come in between.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections import Counter

from PIL import Image

from operators.images.fetch import PictureFetcher
from operators.ports import Picture
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.outcomes import Done, Failed, Outcome
from schemas.looks import ImageReference
from schemas.settings import ImageSettings

Packet = tuple[str, str]
"""Vendor and URL."""


def photograph() -> bytes:
    """A JPEG of 600 x 800 pixels."""
    buffer = io.BytesIO()
    Image.effect_noise((600, 800), 60).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


async def rate(packets: list[Packet], settings: ImageSettings) -> tuple[float, Counter[str]]:
    """Pictures of the good vendor per second, and what became of the other's packets."""
    fetcher, loop = PictureFetcher(settings), asyncio.get_running_loop()
    await fetcher.fetch(ImageReference(url=packets[0][1]))
    good = sum(vendor == "good" for vendor, _ in packets)
    others: Counter[str] = Counter()
    fetched = 0
    ended = asyncio.Event()

    def report(outcome: Outcome[Packet, Picture]) -> None:
        nonlocal fetched
        if outcome.item[0] == "good":
            assert isinstance(outcome, Done), outcome
            fetched += 1
        else:
            assert isinstance(outcome, Failed)
            others[getattr(outcome.error, "reason", "unexpected")] += 1
        if fetched == good:
            ended.set()

    calls: KeyedCalls[Packet, Picture] = KeyedCalls(
        lambda packet: fetcher.fetch(ImageReference(url=packet[1]), packet[0]),
        lambda packet: packet[1],
        CallPolicy(window=64, deadline_seconds=30.0, attempts=3),
        loop,
    )
    started = time.perf_counter()
    for packet in packets:
        calls.submit(packet, report)
    await ended.wait()
    seconds = time.perf_counter() - started
    calls.stop_starting()
    await fetcher.close()
    return good / seconds, others


async def main(pictures: int = 2000) -> None:
    """Print both rates."""
    body = photograph()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    hosts = [await asyncio.start_server(serve, "127.0.0.1", 0) for serve in (answer, swallow)]
    good_port, dead_port = (host.sockets[0].getsockname()[1] for host in hosts)
    good = [("good", f"http://127.0.0.1:{good_port}/{n}") for n in range(pictures)]
    dead = [("dead", f"http://127.0.0.1:{dead_port}/{n}") for n in range(pictures)]
    settings = ImageSettings(
        http_cache=None, private_hosts=("127.0.0.1",), ports=(good_port, dead_port)
    )
    alone, _ = await rate(good, settings)
    with_silent, others = await rate(
        [one for pair in zip(good, dead, strict=True) for one in pair], settings
    )
    print(f"alone                  {alone:>8.1f} pictures/s")
    print(f"with a silent host     {with_silent:>8.1f} pictures/s; the others: {dict(others)}")
    print(f"with / without         {with_silent / alone:>8.2f}")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
