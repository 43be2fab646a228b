"""Draw a world's pictures to files, in two processes when there are many."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from sandbox.world import Box, Garment, draw_look, draw_product

T = TypeVar("T")
R = TypeVar("R")

Progress = Callable[[str, int, int], None]
"""Called with the name of the task, the number done, and the total."""

PRODUCT_SIZE = 256
LOOK_SIZE = (256, 384)
_QUALITY = 88
_CHUNK = 40
_WORTH_A_PROCESS = 250
"""Pictures; drawing one takes about 8 ms, starting a process about 1 s."""


@dataclass(frozen=True, slots=True)
class ProductPicture:
    """A product photograph to draw; the seed determines it."""

    path: Path
    seed: str
    garment: Garment


@dataclass(frozen=True, slots=True)
class LookPicture:
    """A look to draw."""

    path: Path
    seed: str
    outfit: dict[str, Garment]


def draw_products(pictures: Sequence[ProductPicture], progress: Progress | None) -> None:
    """Draw the photographs as JPEG files."""
    _in_chunks(_draw_products, pictures, "product pictures", progress)


def draw_looks(
    pictures: Sequence[LookPicture], progress: Progress | None
) -> dict[Path, dict[str, Box]]:
    """Draw the looks as JPEG files.

    Returns path -> department -> (x0, y0, x1, y1) of the visible garment, as fractions of width
    and height.
    """
    found: dict[Path, dict[str, Box]] = {}
    for chunk in _in_chunks(_draw_looks, pictures, "looks", progress):
        found.update(chunk)
    return found


def _draw_products(pictures: Sequence[ProductPicture]) -> None:
    for picture in pictures:
        drawn = draw_product(picture.garment, random.Random(picture.seed), PRODUCT_SIZE)
        drawn.save(picture.path, "JPEG", quality=_QUALITY)


def _draw_looks(pictures: Sequence[LookPicture]) -> dict[Path, dict[str, Box]]:
    width, height = LOOK_SIZE
    found = {}
    for picture in pictures:
        drawn = draw_look(picture.outfit, random.Random(picture.seed), LOOK_SIZE)
        drawn.picture.save(picture.path, "JPEG", quality=_QUALITY)
        found[picture.path] = {
            department: (x0 / width, y0 / height, x1 / width, y1 / height)
            for department, (x0, y0, x1, y1) in drawn.boxes.items()
        }
    return found


def _in_chunks(
    draw: Callable[[Sequence[T]], R], jobs: Sequence[T], what: str, progress: Progress | None
) -> list[R]:
    """Run ``draw`` on chunks of ``jobs``; results are in order of completion."""
    chunks = [jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK)]
    results: list[R] = []

    def collect(result: R) -> None:
        results.append(result)
        if progress is not None:
            progress(what, min(len(jobs), len(results) * _CHUNK), len(jobs))

    if len(jobs) < _WORTH_A_PROCESS or (os.cpu_count() or 1) < 2:
        for chunk in chunks:
            collect(draw(chunk))
        return results
    # spawn: the caller may have threads of torch or of an event loop, which do not survive a fork.
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for future in as_completed([pool.submit(draw, chunk) for chunk in chunks]):
            collect(future.result())
    return results
