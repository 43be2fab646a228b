"""CPU of this process that one look's requests to a model server cost.

    python -m benchmarks.vlm_cpu [LOOKS]

A look of 768 x 1024 pixels is described, and five layers of ten thumbnails each are reranked by
each method. The server is a double in another process on 127.0.0.1, which answers at once with
what vLLM would send, so that all time is the client's: encoding pictures, JSON, HTTP. Six looks are
in flight. Target: at most 40 ms a look, describing included.
"""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.queues import Queue
from typing import Any

import numpy as np
from PIL import Image

from operators.budget import Budget
from operators.models.vlm.messages import encode_jpeg
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.ports import Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

LAYERS, CANDIDATES, IN_FLIGHT = 5, 10, 6
QUERY = "navy slim fit jeans with turned up hems"
PICTURE_TOKENS = 150


def answer(path: bytes, request: bytes) -> bytes:
    """What vLLM sends, with a usual number of tokens."""
    if path.endswith(b"/score"):
        scores = [{"index": n, "object": "score", "score": 0.5} for n in range(CANDIDATES)]
        return json.dumps({"id": "x", "object": "list", "model": "m", "data": scores}).encode()
    described = [{"layer": layer, "query": QUERY} for layer in ("top", "bottom", "footwear", "bag")]
    choice: dict[str, Any] = {"index": 0, "message": {"content": json.dumps({"layers": described})}}
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "model": "m",
        "choices": [choice],
    }
    if b"prompt_logprobs" in request:
        picture = {"151655": {"logprob": -1.25, "rank": 1, "decoded_token": "<|image_pad|>"}}
        words = QUERY.replace(" ", "\0 ").split("\0")
        tokens = [{"1": {"logprob": -0.5, "rank": 1, "decoded_token": word}} for word in words]
        body["prompt_logprobs"] = [None, *[picture] * PICTURE_TOKENS, *tokens]
    elif b"top_logprobs" in request:
        top: list[dict[str, Any]] = [
            {"token": word, "logprob": math.log(0.4), "bytes": []} for word in ("yes", "no")
        ]
        filler = [{"token": f"t{n}", "logprob": -9.0, "bytes": []} for n in range(18)]
        choice["logprobs"] = {"content": [{"token": "yes", "top_logprobs": [*top, *filler]}]}
    return json.dumps(body).encode()


def serve(ports: Queue[int]) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
                lengths = [line for line in head if line.lower().startswith(b"content-length")]
                request = await reader.readexactly(int(lengths[0].partition(b":")[2]))
                body = answer(head[0].split()[1], request)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(converse, "127.0.0.1", 0, limit=2**22)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def photograph(width: int, height: int) -> Image.Image:
    """Smooth noise, which compresses about as a photograph does."""
    noise = np.random.default_rng(width).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


async def milliseconds(looks: int, one_look: Callable[[], Awaitable[object]]) -> float:
    """CPU per look."""
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def limited() -> None:
        async with slots:
            await one_look()

    await asyncio.gather(*(limited() for _ in range(IN_FLIGHT)))  # opens the connections
    started = time.process_time()
    await asyncio.gather(*(limited() for _ in range(looks)))
    return (time.process_time() - started) / looks * 1000


async def measure(port: int, looks: int) -> None:
    url = f"http://127.0.0.1:{port}"
    settings = VlmSettings.model_validate(
        {"kind": "openai", "url": f"{url}/v1"}
        | ({"score_url": url} if "score_url" in VlmSettings.model_fields else {})
    )
    model = OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)
    look = Picture(photograph(768, 1024), "look")
    crop, thumbnail = photograph(320, 320), encode_jpeg(photograph(336, 336))

    async def described() -> None:
        await model.describe([look], Budget.of(300))

    async def reranked(method: RerankMethod) -> None:
        candidates = [thumbnail] * CANDIDATES
        calls = (
            model.rerank(method, QUERY, crop, candidates, Budget.of(300)) for _ in range(LAYERS)
        )
        for scores in await asyncio.gather(*calls):
            assert None not in scores

    print(f"describe      {await milliseconds(looks, described):>7.1f} ms CPU a look")
    for method in RerankMethod:
        if method.asks_model and method is not RerankMethod.LISTWISE:
            spent = await milliseconds(looks, lambda: reranked(method))  # noqa: B023
            print(f"{method.value:<12}  {spent:>7.1f} ms CPU a look of {LAYERS} layers")
    await model.close()


def main(looks: int = 30) -> None:
    ports: Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(ports,), daemon=True)
    server.start()
    try:
        asyncio.run(measure(ports.get(), looks))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
