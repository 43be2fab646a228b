"""Throughput of the batching encoder relative to the raw model, on the same pictures in one run.

    python -m benchmarks.encoder_throughput [PICTURES] [ROUNDS]

The raw loop prepares a batch of pictures, runs the image tower and normalises, in one thread. The
encoder gets the same pictures from concurrent callers, one picture each. The two alternate. Both
are measured with the sandbox's encoder, whose small model makes overhead most visible, and with an
open_clip ViT-B-32 with random weights. Target: ratio >= 0.95.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import open_clip
import torch
from PIL.Image import Image

from operators.models.open_clip_encoder import OpenClipEncoder, OpenClipTowers
from sandbox.world import draw_product, sample_garment
from schemas.settings import EncoderSettings

SIZE = 512
"""Side of the pictures, in pixels; the fetcher reduces larger ones."""


def raw_seconds(towers: OpenClipTowers, pictures: list[Image], batch: int) -> float:
    started = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, len(pictures), batch):
            prepared = torch.stack([towers.prepare(p) for p in pictures[first : first + batch]])
            features = towers.image_features(prepared)
            np.asarray(torch.nn.functional.normalize(features.float(), dim=-1))
    return time.perf_counter() - started


def encoder_seconds(encoder: OpenClipEncoder, pictures: list[Image]) -> float:
    async def encode() -> float:
        started = time.perf_counter()
        await asyncio.gather(*map(encoder.encode_image, pictures))
        return time.perf_counter() - started

    return asyncio.run(encode())


def compare(architecture: str, pictures: list[Image], rounds: int) -> None:
    settings = EncoderSettings()
    model = open_clip.create_model(architecture).eval()
    tokenize = open_clip.get_tokenizer(architecture)
    towers = OpenClipTowers(model, tokenize)
    batch = settings.images.max_size
    raw, ours = [], []
    for _ in range(rounds):
        raw.append(raw_seconds(towers, pictures, batch))
        # An encoder belongs to one event loop, so each round opens a new one on the same model.
        encoder = OpenClipEncoder("bench", model, tokenize, settings)
        ours.append(encoder_seconds(encoder, pictures))
        asyncio.run(encoder.close())
    print(
        f"{architecture.split('/')[-1]:<10} raw {len(pictures) / median(raw):>7.1f}/s   "
        f"ours {len(pictures) / median(ours):>7.1f}/s   ours / raw {median(raw) / median(ours):.2f}"
    )


def main(pictures: int = 256, rounds: int = 5) -> None:
    rng = random.Random(3)
    drawn = [draw_product(sample_garment(rng), rng, SIZE) for _ in range(pictures)]
    sandbox = Path(__file__).parents[1] / "sandbox" / "weights" / "clip"
    compare(f"local-dir:{sandbox}", drawn, rounds)
    compare("ViT-B-32", drawn[: max(64, pictures // 4)], rounds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
