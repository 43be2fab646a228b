"""What a peer's process has cost, from its first record to its end. No third-party imports."""

import asyncio
import json
import time

_started: list[float] = []


async def raise_price(value: bytes) -> bytes:
    """The step of every system: an awaited call that changes a JSON object."""
    if not _started:
        _started.extend((time.perf_counter(), time.process_time()))
    product = json.loads(value)
    await asyncio.sleep(0)
    product["price"] += 1
    return json.dumps(product).encode()


def report() -> None:
    """Print the seconds and processor seconds since the first record."""
    started, cpu = _started
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "cpu_seconds": time.process_time() - cpu}), flush=True)
