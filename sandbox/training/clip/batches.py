"""Training batches: photographs, crops of looks that show them, windows, and their captions."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread

import numpy as np
import numpy.typing as npt

from sandbox.training.clip.codes import Codes, Flags, claims_mask, encode, nothing
from sandbox.training.clip.dataset import Pixels, Shard, Worn, read_shard
from sandbox.training.clip.disturb import disturb
from sandbox.training.clip.windows import cut, cut_labels, jittered_square, occlude
from sandbox.world import DEPARTMENTS, LABELS, Box, phrase
from sandbox.world.look import LABEL_REDUCTION

PAIRS, NEAR, WINDOWS, EMPTY = 56, 20, 22, 6
CELLS = 28
"""Label points along a side of a window: four for each of the seven patches."""
_ONE_DEPARTMENT_SHARE = 0.4
# Sampling weights: higher for departments whose garments overlap and are hard to distinguish.
_DEPARTMENT_WEIGHTS = {
    "headwear": 1.2,
    "eyewear": 0.7,
    "outerwear": 2.6,
    "top": 2.2,
    "dress": 1.2,
    "bottom": 1.0,
    "bag": 1.0,
    "footwear": 1.0,
}
_OCCLUDED_SHARE = 0.1
_WINDOW_SIDES = (80.0, 640.0)  # px of a 256 x 384 look; chosen log-uniformly
_EMPTY_LABELS = tuple(LABELS.index(name) for name in ("background", "skin", "hair"))
_EMPTY_PURITY = 0.8


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures in the order photos (paired, then near), crops (paired), empty windows, windows.

    `codes` holds a row per picture except the windows; `texts`, `stated` and `claimed` a row per
    sentence, in the order of those pictures. `cells` (crops and windows; 28 x 28) are labels;
    `painted` (same rows, 11, 8) is what the garment of each label is.
    """

    pictures: Pixels
    codes: Codes
    texts: list[str]
    stated: Codes
    claimed: Flags
    cells: npt.NDArray[np.uint8]
    painted: Codes


@dataclass(frozen=True, slots=True)
class _Item:
    shard: int
    look: int
    worn: Worn


class Batches:
    """Endless batches from the shards of a folder, drawn by a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._shards: list[Shard] = [read_shard(path) for path in sorted(folder.glob("*.json"))]
        self._rng = random.Random(seed)
        self._items = [
            _Item(s, look, worn)
            for s, shard in enumerate(self._shards)
            for look, row in enumerate(shard.worn)
            for worn in row
        ]
        self._by_department: dict[str, list[_Item]] = defaultdict(list)
        for item in self._items:
            self._by_department[item.worn.garment.department].append(item)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def photos(self) -> Pixels:
        """The photographs of the first shard."""
        return self._shards[0].photos

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
        rng = self._rng
        pairs = self._pairs()
        photos = [self._shards[i.shard].photos[i.worn.photo] for i in pairs]
        near = [self._shards[i.shard].photos[i.worn.near_photo] for i in pairs[:NEAR]]
        crops, crop_cells = zip(*(self._crop(item) for item in pairs), strict=True)
        empty, empty_labels = self._empty_windows()
        windows, window_cells, window_painted = self._windows()
        painted = [self._painted(item.shard, item.look) for item in pairs] + window_painted
        garments = [i.worn.garment for i in pairs] + [i.worn.near for i in pairs[:NEAR]]
        garments += [i.worn.shown for i in pairs]
        said = [phrase(garment, rng) for garment in garments]
        codes = [encode(garment) for garment in garments]
        codes += [nothing(label) for label in empty_labels]
        department_only = claims_mask(frozenset({"department"}))
        return Batch(
            pictures=np.stack([*photos, *near, *crops, *empty, *windows]),
            codes=np.array(codes, np.int64),
            texts=[text for text, _ in said] + [LABELS[label] for label in empty_labels],
            stated=np.array(codes, np.int64),
            claimed=np.array(
                [claims_mask(claims) for _, claims in said] + [department_only] * len(empty)
            ),
            cells=np.stack([*crop_cells, *window_cells]),
            painted=np.array(painted, np.int64),
        )

    def _pairs(self) -> list[_Item]:
        """From all departments or from a single one, whose garments are hardest to distinguish."""
        rng = self._rng
        one = rng.random() < _ONE_DEPARTMENT_SHARE
        names, weights = tuple(DEPARTMENTS), tuple(_DEPARTMENT_WEIGHTS.values())
        chosen = (
            rng.choices(names, weights, k=1) * PAIRS
            if one
            else rng.choices(names, weights, k=PAIRS)
        )
        return [rng.choice(self._by_department[name]) for name in chosen]

    def _crop(self, item: _Item) -> tuple[Pixels, npt.NDArray[np.uint8]]:
        shard = self._shards[item.shard]
        square = jittered_square(item.worn.box, self._rng)
        region = cut(shard.looks[item.look], square)
        if self._rng.random() < _OCCLUDED_SHARE:
            region = occlude(region, self._rng)
        return disturb(region, self._rng), cut_labels(shard.labels[item.look], square, CELLS)

    def _painted(self, shard: int, look: int) -> list[list[int]]:
        rows = [nothing(label) for label in range(len(LABELS))]
        for worn in self._shards[shard].worn[look]:
            rows[LABELS.index(worn.shown.department)] = encode(worn.shown)
        return rows

    def _any_look(self) -> tuple[int, int]:
        s = self._rng.randrange(len(self._shards))
        return s, self._rng.randrange(len(self._shards[s].worn))

    def _windows(
        self,
    ) -> tuple[list[Pixels], list[npt.NDArray[np.uint8]], list[list[list[int]]]]:
        rng = self._rng
        pictures, cells, painted = [], [], []
        for _ in range(WINDOWS):
            s, look = self._any_look()
            shard = self._shards[s]
            height, width = shard.looks.shape[1:3]
            low, high = _WINDOW_SIDES
            half = low * (high / low) ** rng.random() / 2
            x, y = rng.uniform(0.15, 0.85) * width, rng.uniform(0.05, 0.95) * height
            if half > width / 3:
                x, y = width / 2 + rng.uniform(-30, 30), min(max(y, half - 20), height - half + 20)
            square = (x - half, y - half, x + half, y + half)
            pictures.append(disturb(cut(shard.looks[look], square), rng))
            cells.append(cut_labels(shard.labels[look], square, CELLS))
            painted.append(self._painted(s, look))
        return pictures, cells, painted

    def _empty_windows(self) -> tuple[list[Pixels], list[int]]:
        """Small windows that show nothing but background, skin or hair."""
        rng = self._rng
        pictures: list[Pixels] = []
        labels: list[int] = []
        while len(pictures) < EMPTY:
            s, look = self._any_look()
            shard, wanted = self._shards[s], rng.choice(_EMPTY_LABELS)
            ys, xs = np.nonzero(shard.labels[look] == wanted)
            if not len(ys):
                continue
            k = rng.randrange(len(ys))
            x, y = float(xs[k] * LABEL_REDUCTION + 2), float(ys[k] * LABEL_REDUCTION + 2)
            half = rng.uniform(20, 60) if wanted == 0 else rng.uniform(9, 26)
            square: Box = (x - half, y - half, x + half, y + half)
            cells = cut_labels(shard.labels[look], square, CELLS)
            if float((cells == wanted).mean()) >= _EMPTY_PURITY:
                pictures.append(cut(shard.looks[look], square))
                labels.append(wanted)
        return pictures, labels
