"""Fit which pictures are familiar to the sandbox's encoder: drawn looks and drawn products.

``python -m sandbox.training.familiarity`` draws them with seeds that no evaluation uses, and writes
``familiar.npz`` next to the weights.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.matching.familiarity import FILE_NAME, Familiarity
from operators.models.encoder_table import encoder_source
from operators.models.load_encoder import load_encoder
from operators.ports import ImageTextEncoder
from sandbox.world import draw_look, draw_product, sample_garment, sample_outfit
from schemas.settings import EncoderSettings

PICTURES = 300
"""Looks and products to fit to, of each; as many again set the limit."""

SLACK = 1.04
"""The limit is this many times the largest distance of pictures that were not fitted to."""


def draw(seed: int, many: int) -> list[Image]:
    """Draw ``many`` looks and as many products."""
    rng = random.Random(seed)
    looks = [draw_look(sample_outfit(rng), rng).picture for _ in range(many)]
    return looks + [draw_product(sample_garment(rng), rng) for _ in range(many)]


async def fit(model: str) -> Familiarity:
    """Fit to the pictures of one seed, and set the limit by those of another."""
    encoder = load_encoder(EncoderSettings(model=model))
    fitted = Familiarity.fit(np.concatenate(await patches_of(draw(101, PICTURES), encoder)))
    held_out = [fitted.distance(one) for one in await patches_of(draw(102, PICTURES), encoder)]
    await encoder.close()
    return replace(fitted, farthest=SLACK * max(held_out))


async def patches_of(
    pictures: Sequence[Image], encoder: ImageTextEncoder
) -> list[NDArray[np.float32]]:
    """The patches of each picture, shape (patches, dimension)."""
    found = [await encoder.encode_patches(picture) for picture in pictures]
    return [one.reshape(-1, one.shape[-1]) for one in found]


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default=EncoderSettings().model)
    model = parser.parse_args().model
    fitted = asyncio.run(fit(model))
    out = Path(encoder_source(model).removeprefix("local-dir:")) / FILE_NAME
    fitted.save(out)
    print(f"wrote {out}; pictures farther than {fitted.farthest:.2f} are unfamiliar")


if __name__ == "__main__":
    main()
