"""Training pictures: looks with their ground truth, and photographs of the products worn.

`python -m sandbox.training.clip.dataset --looks 10000` writes shards below `var/clip/train`;
existing shards are kept. Two processes draw about 30 looks with their
products per second on two cores.
"""

import argparse
import json
import random
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from sandbox.training.clip.disturb import other_cloth
from sandbox.world import (
    Box,
    Garment,
    draw_look,
    draw_product,
    held_out,
    near_garment,
    sample_garment,
    sample_outfit,
    visible,
)

Pixels = npt.NDArray[np.uint8]

IMAGE_SIZE = 112
LOOK_SIZE = (256, 384)
SHARD_LOOKS = 1000
# Photographs are drawn in several resolutions, and reduced to the model's input size.
_PHOTO_SIZES = (256, 160, 128)


@dataclass(frozen=True, slots=True)
class Worn:
    """A garment in a look: its attributes, its box, and the rows of its two photographs."""

    garment: Garment
    shown: Garment
    box: Box
    photo: int
    near: Garment
    near_photo: int


@dataclass(frozen=True, slots=True)
class Shard:
    """`looks` (n, 384, 256, 3), `labels` (n, 96, 64), `photos` (m, 112, 112, 3), all uint8."""

    looks: Pixels
    labels: Pixels
    photos: Pixels
    worn: list[list[Worn]]


def photograph(garment: Garment, rng: random.Random) -> Image.Image:
    """A product photograph at the model's input size."""
    picture = draw_product(garment, rng, rng.choice(_PHOTO_SIZES))
    return picture.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)


def _trainable(garment: Garment, rng: random.Random) -> Garment:
    while held_out(garment):
        garment = sample_garment(rng, garment.department)
    return garment


def _near(garment: Garment, rng: random.Random) -> Garment:
    other = near_garment(garment, rng)
    while held_out(other):
        other = near_garment(garment, rng)
    return other


def write_shard(folder: Path, seed: int, looks: int = SHARD_LOOKS) -> None:
    """Draw a shard; the same seed draws the same shard. It gets its name when it is complete."""
    rng = random.Random(seed)
    pictures = np.empty((looks, LOOK_SIZE[1], LOOK_SIZE[0], 3), np.uint8)
    labels = np.empty((looks, LOOK_SIZE[1] // 4, LOOK_SIZE[0] // 4), np.uint8)
    photos: list[Pixels] = []
    truth: list[list[dict[str, object]]] = []
    for i in range(looks):
        outfit = {name: _trainable(g, rng) for name, g in sample_outfit(rng).items()}
        look = draw_look(outfit, rng, LOOK_SIZE, other_cloth(rng))
        pictures[i], labels[i] = np.asarray(look.picture), look.labels
        shown = visible(outfit)
        rows: list[dict[str, object]] = []
        for name, box in look.boxes.items():
            near = _near(outfit[name], rng)
            rows.append(
                {
                    "garment": asdict(outfit[name]),
                    "shown": asdict(shown[name]),
                    "box": box,
                    "photo": len(photos),
                    "near": asdict(near),
                    "near_photo": len(photos) + 1,
                }
            )
            photos += [np.asarray(photograph(g, rng)) for g in (outfit[name], near)]
        truth.append(rows)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{seed:06d}"
    np.save(f"{stem}.looks.npy", pictures)
    np.save(f"{stem}.labels.npy", labels)
    np.save(f"{stem}.photos.npy", np.stack(photos))
    partial = Path(f"{stem}.partial")
    partial.write_text(json.dumps(truth))
    partial.rename(f"{stem}.json")


def read_shard(path: Path) -> Shard:
    """Read the shard whose truth is at `path`; pictures are read from disk on use."""
    stem = str(path)[: -len(".json")]
    worn = [
        [
            Worn(
                garment=Garment(**row["garment"]),
                shown=Garment(**row["shown"]),
                box=tuple(row["box"]),
                photo=row["photo"],
                near=Garment(**row["near"]),
                near_photo=row["near_photo"],
            )
            for row in rows
        ]
        for rows in json.loads(path.read_text())
    ]
    return Shard(
        looks=np.load(f"{stem}.looks.npy", mmap_mode="r"),
        labels=np.load(f"{stem}.labels.npy", mmap_mode="r"),
        photos=np.load(f"{stem}.photos.npy", mmap_mode="r"),
        worn=worn,
    )


def _write_missing(task: tuple[Path, int]) -> None:
    folder, seed = task
    if not (folder / f"{seed:06d}.json").exists():
        write_shard(folder, seed)


def main() -> None:
    """Draw the training set."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--looks", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("var/clip/train"))
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    tasks = [(asked.out, 1000 + shard) for shard in range(asked.looks // SHARD_LOOKS)]
    with get_context("spawn").Pool(asked.processes) as pool:
        pool.map(_write_missing, tasks, chunksize=1)


if __name__ == "__main__":
    main()
