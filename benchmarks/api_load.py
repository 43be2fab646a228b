"""The HTTP API under open load: requests are sent at their times, whatever became of those before,
and latency is counted from the time at which a request was due.

    python -m benchmarks.api_load DEMO_FOLDER [SECONDS]

Serves the demo's world on a free port of 127.0.0.1 and asks for products, similar products,
redirects and previews, SECONDS (10) at each rate. Previews: rates grow until the p99 exceeds a
second or a request is refused; then twice the last rate that was held (or, if none was, the first
one). The client shares the cores with the server; the server's processor time per request depends
least on what else runs.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import httpx
import numpy as np

from services.processes import free_port, start_looksync

RATES = {"product": 40.0, "similar": 10.0, "redirect": 40.0}
"""Requests a second."""
TARGETS = {"product": 50, "similar": 150, "redirect": 30}
"""Milliseconds, at p95."""
PREVIEW_RATES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
HELD_SECONDS = 1.0
START_SECONDS = 180.0
WORDS = ("red shirt", "black boots", "blue jeans", "floral dress", "white bag")

Ask = Callable[[int], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Load:
    """What became of the requests at one rate."""

    rate: float
    seconds: Sequence[float]
    """Per answered (2xx, 3xx) request, from when it was due."""
    codes: Counter[int]
    late: int
    """Answered, but with something left out for the deadline."""
    cpu: float
    """Seconds of the server's processor time, of all threads."""

    def percentile(self, percent: float) -> float:
        """Seconds."""
        return float(np.percentile(self.seconds, percent)) if self.seconds else float("inf")

    def __str__(self) -> str:
        times = ", ".join(f"p{p} {1000 * self.percentile(p):.0f}" for p in (50, 95, 99))
        codes = ", ".join(f"{count} x {code}" for code, count in sorted(self.codes.items()))
        cpu = 1000 * self.cpu / max(1, self.codes.total())
        degraded = f"{self.late} degraded; " if self.late else ""
        return f"{self.rate:g} a second: {times} ms; {codes}; {degraded}CPU {cpu:.1f} ms each"


def cpu_seconds(process: int) -> float:
    """Of all threads of ``process`` (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(ask: Ask, rate: float, seconds: float, server: int) -> Load:
    """Send ``rate`` requests a second for ``seconds`` to the process ``server``."""
    before = cpu_seconds(server)
    times: list[float] = []
    codes: Counter[int] = Counter()
    late = 0
    start = time.perf_counter()

    async def one(number: int) -> None:
        nonlocal late
        due = start + number / rate
        await asyncio.sleep(due - time.perf_counter())
        answer = await ask(number)
        codes[answer.status_code] += 1
        if answer.status_code < 400:
            times.append(time.perf_counter() - due)
            late += b'"degraded":["' in answer.content

    async with asyncio.TaskGroup() as group:
        for number in range(max(1, int(rate * seconds))):
            group.create_task(one(number))
    return Load(rate, times, codes, late, cpu_seconds(server) - before)


async def measure(
    client: httpx.AsyncClient, pictures: Sequence[bytes], seconds: float, server: int
) -> None:
    """Print all figures."""
    keys, links = await products(client)
    asks: dict[str, Ask] = {
        "product": lambda n: client.get(f"/v1/products/{keys[n % len(keys)]}"),
        "similar": lambda n: client.get(f"/v1/products/{keys[n % len(keys)]}/similar"),
        "redirect": lambda n: client.get(links[n % len(links)]),
    }
    for name, ask in asks.items():
        await load(ask, RATES[name], 1.0, server)  # connections, caches
        found = await load(ask, RATES[name], seconds, server)
        print(f"{name} (target: p95 {TARGETS[name]} ms): {found}", flush=True)

    bodies = cycle({"data": base64.b64encode(picture).decode()} for picture in pictures)

    async def preview(_: int) -> httpx.Response:
        return await client.post("/v1/matches:preview", json={"image": next(bodies)})

    await load(preview, 1.0, 4.0, server)
    held = 0.0
    for rate in PREVIEW_RATES:
        found = await load(preview, rate, seconds, server)
        print(f"preview: {found}", flush=True)
        if found.percentile(99) > HELD_SECONDS or set(found.codes) != {200}:
            break
        held = rate
    print(f"preview, p99 below a second: {held:g} a second; overload:")
    print(f"preview: {await load(preview, 2 * (held or rate), seconds, server)}")


async def products(client: httpx.AsyncClient) -> tuple[list[str], list[str]]:
    """Keys and links of products."""
    found = []
    for words in WORDS:
        page = await client.get("/v1/products", params={"q": words, "limit": 20})
        found += page.raise_for_status().json()["products"]
    return [one["product"]["key"] for one in found], [one["link"] for one in found]


async def ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.5)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """Serves the world of the demo in ``folder``; the address, and the server's process."""
    port = free_port()
    environment = {"LOOKSYNC_API__PORT": str(port), "OMP_WAIT_POLICY": "PASSIVE"}
    arguments = ["--config", str(folder / "looksync.toml"), "serve"]
    child = start_looksync("serve", arguments, folder / "logs/serve.log", environment)
    try:
        yield f"http://127.0.0.1:{port}", child.process.pid
    finally:
        child.stop()


async def main(folder: Path, seconds: float) -> None:
    pictures = [path.read_bytes() for path in sorted((folder / "world/looks").glob("*.jpg"))[:50]]
    limits = httpx.Limits(max_connections=None)
    with serving(folder) as (address, pid):
        async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60.0) as client:
            await ready(client)
            await measure(client, pictures, seconds, pid)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 10.0))
