"""Training batches: looks to describe, photographs and regions to describe, pairs to judge.

Drawn from the shards of `sandbox.training.clip.dataset`, which leave out one in ten patterned
combinations of attributes.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np
import numpy.typing as npt
from PIL import Image

from sandbox.training.clip.codes import Codes, encode
from sandbox.training.clip.dataset import Pixels, Shard, Worn, read_shard
from sandbox.training.clip.disturb import disturb
from sandbox.training.clip.windows import cut, jittered_square
from sandbox.training.vlm.conversations import Turn, describe_look, describe_product, judge
from sandbox.training.vlm.heads import worn_codes
from sandbox.training.vlm.model import LOOK_SIZE, PRODUCT_SIZE

LOOKS, PAIRS, NEAR = 22, 12, 8
"""Per process and step."""
_SHIFT = 16
"""Largest shift of a 256 x 384 look in pixels, in steps of a label's cell."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`looks` (LOOKS, 192, 128, 3), `labels` (LOOKS, 96, 64), `worn` as in heads.worn_codes.

    `squares` (2 * PAIRS + NEAR, 128, 128, 3): photographs, regions of looks that show them, and
    photographs that differ in one attribute from the first NEAR; `descriptions`: of each square;
    `pairs`: questions about a region and a photograph (region's row, photograph's row, turn).
    """

    looks: Pixels
    labels: npt.NDArray[np.uint8]
    worn: Codes
    described: list[Turn]
    squares: Pixels
    descriptions: list[Turn]
    pairs: list[tuple[int, int, Turn]]


def resized(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize as the model's processor does."""
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


class Batches:
    """Endless batches from the shards of a folder, drawn by a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._shards: list[Shard] = [read_shard(path) for path in sorted(folder.glob("*.json"))]
        if not self._shards:
            raise FileNotFoundError(
                f"no shard in {folder}: run python -m sandbox.training.clip.dataset"
            )
        self._rng = random.Random(seed)

    def __len__(self) -> int:
        return sum(len(shard.worn) for shard in self._shards)

    @property
    def looks(self) -> Pixels:
        """Looks by number, resized for the model."""
        return np.stack([resized(look, LOOK_SIZE) for look in self._shards[0].looks[:400]])

    def prefetch(self, depth: int = 3) -> Iterator[Batch]:
        """Batches, prepared on another thread."""
        queue: Queue[Batch] = Queue(depth)

        def fill() -> None:
            while True:
                queue.put(self.draw())

        Thread(target=fill, daemon=True).start()
        while True:
            yield queue.get()

    def draw(self) -> Batch:
        """The next batch."""
        chosen = [self._any_look() for _ in range(LOOKS)]
        moved = [self._moved(shard, look) for shard, look in chosen]
        shown = [
            {worn.shown.department: worn.shown for worn in shard.worn[look]}
            for shard, look in chosen
        ]
        squares, descriptions, pairs = self._pairs()
        return Batch(
            looks=np.stack(
                [resized(disturb(picture, self._rng), LOOK_SIZE) for picture, _ in moved]
            ),
            labels=np.stack([labels for _, labels in moved]),
            worn=np.stack(
                [worn_codes({name: encode(g) for name, g in row.items()}) for row in shown]
            ),
            described=[describe_look(row) for row in shown],
            squares=squares,
            descriptions=descriptions,
            pairs=pairs,
        )

    def _any_look(self) -> tuple[Shard, int]:
        shard = self._rng.choice(self._shards)
        return shard, self._rng.randrange(len(shard.worn))

    def _moved(self, shard: Shard, look: int) -> tuple[Pixels, npt.NDArray[np.uint8]]:
        """Shift a look, repeating its edges, and its labels."""
        cell = shard.looks.shape[1] // shard.labels.shape[1]
        dy, dx = (self._rng.randint(-_SHIFT // cell, _SHIFT // cell) for _ in range(2))
        labels, picture = shard.labels[look], shard.looks[look]
        return _shifted(picture, dy * cell, dx * cell), _shifted(labels, dy, dx)

    def _pairs(self) -> tuple[Pixels, list[Turn], list[tuple[int, int, Turn]]]:
        photos, regions, near = [], [], []
        worn: list[Worn] = []
        for _ in range(PAIRS):
            shard, look = self._any_look()
            item = self._rng.choice(shard.worn[look])
            worn.append(item)
            photos.append(resized(shard.photos[item.photo], PRODUCT_SIZE))
            square = jittered_square(item.box, self._rng)
            region = cut(shard.looks[look], square, PRODUCT_SIZE[0])
            regions.append(disturb(region, self._rng))
            near.append(resized(shard.photos[item.near_photo], PRODUCT_SIZE))
        descriptions = [describe_product(w.garment) for w in worn] + [
            describe_product(w.shown) for w in worn
        ]
        descriptions += [describe_product(w.near) for w in worn[:NEAR]]
        pairs = []
        for n, item in enumerate(worn):
            if n < NEAR and n % 2:
                pairs.append((PAIRS + n, 2 * PAIRS + n, judge(item.shown, same=False)))
            elif n >= NEAR and n % 2:
                other = (n + 1) % PAIRS
                same = worn[other].garment == item.garment
                pairs.append((PAIRS + n, other, judge(item.shown, same=same)))
            else:
                pairs.append((PAIRS + n, n, judge(item.shown, same=True)))
        return np.stack([*photos, *regions, *near[:NEAR]]), descriptions, pairs


def _shifted(picture: npt.NDArray[np.uint8], dy: int, dx: int) -> npt.NDArray[np.uint8]:
    height, width = picture.shape[:2]
    ys = np.clip(np.arange(height) - dy, 0, height - 1)
    xs = np.clip(np.arange(width) - dx, 0, width - 1)
    return picture[ys][:, xs]
