"""Metrics on held-out seeds: retrieval, zero-shot attributes, segmentation, abstention."""

import argparse
import json
import pickle
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from torch import Tensor
from torch.nn import functional

from sandbox.training.clip.batches import CELLS
from sandbox.training.clip.codes import agreement, encode
from sandbox.training.clip.dataset import LOOK_SIZE, Pixels, photograph
from sandbox.training.clip.losses import cover, pool_region
from sandbox.training.clip.model import GRID, HEAT, image_and_patches, to_tensor
from sandbox.training.clip.windows import cut, cut_labels, square_around
from sandbox.world import (
    COLOURS,
    DEPARTMENT_OF,
    DEPARTMENTS,
    LABELS,
    PATTERNS,
    TYPES,
    Box,
    Garment,
    describe,
    draw_look,
    held_out,
    sample_garment,
    sample_outfit,
    visible,
)

SEED = 90_001  # training seeds begin at 1,000
PRODUCTS, LOOKS, SEGMENTED = 2000, 250, 80
_TOP = 10


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Products of distinct attributes, crops of looks that wear some of them, and windows."""

    products: list[Garment]
    photos: Pixels
    shown: list[Garment]
    crops: Pixels
    windows: Pixels
    cells: npt.NDArray[np.uint8]


def evaluation_set(cache: Path = Path("var/clip/evaluation.pickle")) -> Evaluation:
    """Read the set from disk, or draw it from its seed (half a minute)."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(pickle.dumps(draw_evaluation_set(SEED)))
    held: Evaluation = pickle.loads(cache.read_bytes())
    return held


def draw_evaluation_set(seed: int) -> Evaluation:
    """The garments of every look are among the products."""
    rng = random.Random(seed)
    products: dict[Garment, None] = {}
    shown, crops, windows, cells = [], [], [], []
    for i in range(LOOKS):
        outfit = sample_outfit(rng)
        look = draw_look(outfit, rng, LOOK_SIZE)
        pixels, seen = np.asarray(look.picture), visible(outfit)
        for name, box in look.boxes.items():
            products[outfit[name]] = None
            shown.append(seen[name])
            crops.append(cut(pixels, square_around(box)))
        if i < SEGMENTED:
            for square in squares():
                windows.append(cut(pixels, square))
                cells.append(cut_labels(look.labels, square, CELLS))
    while len(products) < PRODUCTS:
        products[sample_garment(rng)] = None
    catalog = list(products)
    photos = np.stack([np.asarray(photograph(garment, rng)) for garment in catalog])
    return Evaluation(catalog, photos, shown, np.stack(crops), np.stack(windows), np.stack(cells))


def squares() -> list[Box]:
    """Windows of a 256 x 384 look at two scales: two of 256 px, six of 160 px."""
    coarse: list[Box] = [(0, y, 256, y + 256) for y in (0, 128)]
    fine: list[Box] = [(x, y, x + 160, y + 160) for y in (0, 112, 224) for x in (0, 96)]
    return coarse + fine


class Encoder:
    """Unit embeddings of pictures and texts, in chunks."""

    def __init__(self, model: torch.nn.Module, tokenizer: Any) -> None:
        self.model: Any = model
        self._tokenizer = tokenizer

    def pictures(self, pictures: Pixels) -> Tensor:
        """(n, 112, 112, 3) uint8 to (n, 128)."""
        parts = [
            self.model.encode_image(to_tensor(pictures[i : i + 200]), normalize=True).float()
            for i in range(0, len(pictures), 200)
        ]
        return torch.cat(parts)

    def patches(self, pictures: Pixels) -> Tensor:
        """(n, 112, 112, 3) uint8 to (n, 49, 128)."""
        parts = [
            functional.normalize(
                image_and_patches(self.model, to_tensor(pictures[i : i + 200]))[1], dim=-1
            )
            for i in range(0, len(pictures), 200)
        ]
        return torch.cat(parts).float()

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Sentences to (n, 128)."""
        parts = [
            self.model.encode_text(self._tokenizer(list(texts[i : i + 500])), normalize=True)
            for i in range(0, len(texts), 500)
        ]
        return torch.cat(parts).float()


def evaluate(
    model: torch.nn.Module, tokenizer: Any, truth: Evaluation, quick: bool = False
) -> dict[str, float]:
    """All metrics, or the few that show whether training progresses."""
    training = model.training
    model.eval()
    with torch.no_grad():
        encoder = Encoder(model, tokenizer)
        photos = encoder.pictures(truth.photos)
        crops = encoder.pictures(truth.crops)
        figures = _retrieval(encoder, truth, photos, crops)
        figures |= _segmentation(encoder, truth)
        if not quick:
            figures |= _zero_shot(encoder, truth, photos, crops)
    model.train(training)
    return {name: round(value, 4) for name, value in figures.items()}


def _mean(values: Tensor) -> float:
    return float(values.float().mean())


def _hits(name: str, scores: Tensor, true: Tensor) -> dict[str, float]:
    """R@1 and R@10: the share of rows with a true column among their first 1 and 10."""
    found = true.gather(1, scores.topk(_TOP).indices)
    return {f"{name} R@1": _mean(found[:, 0]), f"{name} R@10": _mean(found.any(1))}


def _retrieval(
    encoder: Encoder, truth: Evaluation, photos: Tensor, crops: Tensor
) -> dict[str, float]:
    products = truth.products
    sentences = encoder.texts([describe(garment) for garment in products]) @ photos.T
    new = torch.tensor([held_out(garment) for garment in products])
    itself = torch.eye(len(products), dtype=torch.bool)
    figures = _hits("text->product", sentences, itself)
    figures |= _hits("text->product, new combinations", sentences[new], itself[new])

    stated = np.array([encode(garment) for garment in truth.shown])
    rows = np.array([encode(garment) for garment in products])
    true = torch.from_numpy(agreement(stated, np.ones(stated.shape, np.bool_), rows)[0])
    same = torch.from_numpy(stated[:, None, 0] == rows[None, :, 0])
    scores = crops @ photos.T
    inside = scores.masked_fill(~same, -1.0)
    asked = encoder.texts([describe(garment) for garment in truth.shown]) @ photos.T
    figures |= _hits("crop->product", scores, true)
    figures |= _hits("crop->product in department", inside, true)
    figures |= _hits("layer text in department", asked.masked_fill(~same, -1.0), true)
    fused = (scores / scores.std() + asked / asked.std()).masked_fill(~same, -99.0)
    figures |= _hits("crop+text in department", fused, true)
    for name in DEPARTMENTS:
        rows_of = torch.tensor([garment.department == name for garment in truth.shown])
        found = true.gather(1, inside.argmax(1, keepdim=True))[:, 0]
        figures[f"crop->product in department R@1, {name}"] = _mean(found[rows_of])
    best = inside.argmax(1).tolist()
    for attribute in ("type", "colour", "pattern", "second_colour"):
        equal = [
            getattr(products[j], attribute) == getattr(garment, attribute)
            for garment, j in zip(truth.shown, best, strict=True)
        ]
        figures[f"nearest product has the crop's {attribute}"] = sum(equal) / len(equal)
    heat = _regions(encoder, truth)
    around = (heat @ photos.T).masked_fill(~same, -1.0)
    figures |= _hits("region->product in department", around, true)
    figures |= _hits("crop+region in department", inside + around, true)
    every = (fused + (inside + around) / scores.std()).masked_fill(~same, -99.0)
    figures |= _hits("crop+region+text in department", every, true)
    of_type = torch.from_numpy(stated[:, None, 1] == rows[None, :, 1])
    with_it = inside.max(1).values
    without = inside.masked_fill(of_type, -1.0).max(1).values
    ordered = (with_it[:, None] > without[None, :]).float().mean()
    figures["AUC, type in the catalog or not"] = float(ordered)
    figures["same-type best beats other types"] = _mean(
        inside.masked_fill(~of_type, -1.0).max(1).values > without
    )
    return figures


def _words(encoder: Encoder) -> Tensor:
    return encoder.texts([f"a photo of a {label}" for label in LABELS])


def _regions(encoder: Encoder, truth: Evaluation) -> Tensor:
    """Pool each crop's patches where the heat map finds the crop's department."""
    patches = encoder.patches(truth.crops)
    heat = (HEAT * patches @ _words(encoder).T).softmax(-1)
    labels = torch.tensor([LABELS.index(garment.department) for garment in truth.shown])
    return pool_region(patches, heat[torch.arange(len(labels)), :, labels])


def _segmentation(encoder: Encoder, truth: Evaluation) -> dict[str, float]:
    guess = (encoder.patches(truth.windows) @ _words(encoder).T).argmax(-1)
    most, label = cover(torch.from_numpy(truth.cells), GRID).max(-1)
    clear = most > 0.5
    figures = {"patches right": _mean(guess[clear] == label[clear])}
    overlaps = []
    for value in range(len(LABELS)):
        a, b = guess[clear] == value, label[clear] == value
        overlaps.append(float((a & b).sum() / (a | b).sum().clamp_min(1)))
    figures["mean IoU of labels"] = sum(overlaps) / len(overlaps)
    return figures


def _zero_shot(
    encoder: Encoder, truth: Evaluation, photos: Tensor, crops: Tensor
) -> dict[str, float]:
    prompts: dict[str, tuple[Sequence[str], str]] = {
        "department": (tuple(DEPARTMENTS), "a photo of a {}"),
        "type": (TYPES, "a photo of a {}"),
        "colour": (tuple(COLOURS), "{} clothes"),
        "pattern": (PATTERNS, "{} pattern"),
    }
    figures: dict[str, float] = {}
    shown = (("photos", photos, truth.products), ("crops", crops, truth.shown))
    for attribute, (values, prompt) in prompts.items():
        words = encoder.texts([prompt.format(value) for value in values])
        for name, pictures, garments in shown:
            guesses = [values[i] for i in (pictures @ words.T).argmax(1).tolist()]
            right = [g == getattr(x, attribute) for g, x in zip(guesses, garments, strict=True)]
            figures[f"zero-shot {attribute}, {name}"] = sum(right) / len(right)
            if attribute == "type":
                right = [
                    DEPARTMENT_OF[g] == x.department for g, x in zip(guesses, garments, strict=True)
                ]
                figures[f"zero-shot department by type, {name}"] = sum(right) / len(right)
    return figures


def main() -> None:
    """Evaluate a saved model."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("sandbox/weights/clip"))
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    name = f"local-dir:{asked.model}"
    model = open_clip.create_model(name)
    report = evaluate(model, open_clip.get_tokenizer(name), evaluation_set())
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
