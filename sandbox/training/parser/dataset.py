"""Training pictures: looks, and which garment, skin or hair each of their pixels shows.

`python -m sandbox.training.parser.dataset --looks 10000` writes shards below `var/parser/train`;
existing shards are kept. Two processes draw about 60 looks per second on two cores.
"""

import argparse
import random
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sandbox.training.clip.disturb import other_cloth
from sandbox.world import draw_look, sample_outfit
from sandbox.world.look import LABEL_REDUCTION

Pixels = npt.NDArray[np.uint8]

LOOK_SIZE = (256, 384)
SHARD_LOOKS = 1000
BARE = 0.12
"""Share of the looks that lack something every drawn person wears: parsers must not learn that
below a top there is a bottom."""


def draw(rng: random.Random) -> tuple[Pixels, Pixels]:
    """A look, shape (384, 256, 3), and its labels (sandbox.world.LABELS), shape (96, 64)."""
    outfit = sample_outfit(rng)
    if rng.random() < BARE:
        outfit.pop(rng.choice(sorted(outfit)))
    look = draw_look(outfit, rng, LOOK_SIZE, other_cloth(rng))
    return np.asarray(look.picture.convert("RGB")), look.labels


def write_shard(folder: Path, seed: int, looks: int = SHARD_LOOKS) -> None:
    """Draw a shard; the same seed draws the same shard. It gets its name when it is complete."""
    rng = random.Random(seed)
    width, height = LOOK_SIZE
    pictures = np.empty((looks, height, width, 3), np.uint8)
    labels = np.empty((looks, height // LABEL_REDUCTION, width // LABEL_REDUCTION), np.uint8)
    for number in range(looks):
        pictures[number], labels[number] = draw(rng)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{seed:06d}.partial"
    with partial.open("wb") as out:
        np.savez(out, pictures=pictures, labels=labels)
    partial.rename(folder / f"{seed:06d}.npz")


def read_shards(folder: Path) -> tuple[Pixels, Pixels]:
    """All pictures, shape (looks, 384, 256, 3), and their labels, shape (looks, 96, 64)."""
    shards = [np.load(path) for path in sorted(folder.glob("*.npz"))]
    return (
        np.concatenate([shard["pictures"] for shard in shards]),
        np.concatenate([shard["labels"] for shard in shards]),
    )


def _write_missing(task: tuple[Path, int]) -> None:
    folder, seed = task
    if not (folder / f"{seed:06d}.npz").exists():
        write_shard(folder, seed)


def main() -> None:
    """Draw the training set."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--looks", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("var/parser/train"))
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    tasks = [(asked.out, 300_000 + shard) for shard in range(asked.looks // SHARD_LOOKS)]
    with get_context("spawn").Pool(asked.processes) as pool:
        pool.map(_write_missing, tasks, chunksize=1)


if __name__ == "__main__":
    main()
