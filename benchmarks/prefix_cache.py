"""How much of our prompts a vLLM server finds in its prefix cache.

    python -m benchmarks.prefix_cache [URL]

Five looks of 768 x 1024 pixels are described, and five layers of ten thumbnails reranked, one
request after another, all with pictures that nobody has sent before. Counted are the prompts'
tokens that the server looked up and found (`vllm:prefix_cache_queries` and `_hits` of /metrics).
Without URL the sandbox VLM is served here on the CPU (`make services-setup` first), with as many
tokens a picture as Qwen3-VL has. Its tokenizer needs about twice as many tokens for English text.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from devservers.registry import HOME, WEIGHTS
from devservers.vllm import MODEL, prefix_cache_tokens, provision_vllm, vllm_server
from operators.budget import Budget
from operators.models.vlm.messages import encode_jpeg
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.ports import Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.errors import Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings
from services.processes import free_port

LOOKS, CANDIDATES = 5, 10
QUERIES = (
    "navy slim fit jeans with turned up hems",
    "red striped short sleeve cotton t-shirt with white stripes",
    "white low-top leather sneakers",
    "black quilted leather shoulder bag with a chain",
    "beige double-breasted wool coat with a belt",
)
PIXELS = json.dumps({"size": {"shortest_edge": 16_384, "longest_edge": 786_432}})
_fresh = count()


def photograph(width: int, height: int) -> Image.Image:
    """Noise that no earlier picture has."""
    rng = np.random.default_rng(next(_fresh))
    noise = rng.integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


async def describe(model: OpenAIVisionModel) -> None:
    for number in range(LOOKS):
        with suppress(Unavailable):  # the answer is cut short
            await model.describe([Picture(photograph(768, 1024), str(number))], Budget.of(300))


async def rerank(model: OpenAIVisionModel, method: RerankMethod) -> None:
    for query in QUERIES:
        crop = photograph(320, 320)
        thumbnails = [encode_jpeg(photograph(336, 336)) for _ in range(CANDIDATES)]
        with suppress(Unavailable):
            await model.rerank(method, query, crop, thumbnails, Budget.of(300))


async def measure(url: str) -> None:
    print(f"{'prompts':12}{'task':14}{'tokens':>9}{'reused':>9}{'share':>7}")
    for prompts in ("sandbox-1", "general-3"):
        model = OpenAIVisionModel(
            # One at a time: what is still being computed cannot be reused.
            VlmSettings(
                kind="openai",
                url=url,
                model=MODEL,
                prompts=prompts,
                longest_description=32,
                concurrency=1,
            ),
            Taxonomy.load(),
            lambda kind: None,
        )
        tasks: dict[str, Callable[[], Awaitable[None]]] = {"describe": lambda: describe(model)}  # noqa: B023
        for method in (RerankMethod.POINTWISE, RerankMethod.LIKELIHOOD, RerankMethod.LISTWISE):
            tasks[method] = lambda method=method: rerank(model, method)  # type: ignore[misc] # noqa: B023
        for name, run in tasks.items():
            before = prefix_cache_tokens(url)
            await run()
            after = prefix_cache_tokens(url)
            asked, found = (now - then for now, then in zip(after, before, strict=True))
            share = found / asked if asked else 0.0
            print(f"{prompts:12}{name:14}{asked:9,.0f}{found:9,.0f}{share:7.2f}", flush=True)
        await model.close()


def main(url: str | None = None) -> None:
    if url is not None:
        asyncio.run(measure(url))
        return
    with tempfile.TemporaryDirectory() as folder:
        server = vllm_server(provision_vllm(HOME), WEIGHTS, Path(folder), free_port())
        sizes = ("--max-model-len", "4096", "--mm-processor-kwargs", PIXELS)
        with replace(server, command=[*server.command, *sizes]) as served:
            asyncio.run(measure(served.address))


if __name__ == "__main__":
    main(*sys.argv[1:])
