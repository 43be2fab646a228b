"""Varied training pictures show the same people: labels move with what they label."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor

from sandbox.training.parser.dataset import draw
from sandbox.training.parser.vary import SIDE, STRIDE, plain, vary
from sandbox.world import LABELS


@pytest.fixture(scope="module")
def looks() -> tuple[Tensor, Tensor]:
    rng = random.Random(4)
    drawn = [draw(rng) for _ in range(12)]
    return (
        torch.from_numpy(np.stack([picture for picture, _ in drawn])),
        torch.from_numpy(np.stack([labels for _, labels in drawn])),
    )


def test_pictures_and_labels_have_the_parsers_form(looks: tuple[Tensor, Tensor]) -> None:
    for make in (vary, plain):
        torch.manual_seed(1)
        images, labels = make(*looks)
        assert images.shape == (12, 3, SIDE, SIDE)
        assert labels.shape == (12, SIDE // STRIDE, SIDE // STRIDE)
        assert 0 <= float(images.min()) <= float(images.max()) <= 1
        assert set(np.unique(labels.numpy()).tolist()) <= set(range(len(LABELS)))


def test_the_seed_decides_and_the_looks_stay_as_they_are(looks: tuple[Tensor, Tensor]) -> None:
    before = looks[0].clone()
    torch.manual_seed(2)
    first = vary(*looks)
    torch.manual_seed(2)
    second = vary(*looks)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert torch.equal(looks[0], before)


def test_labels_move_with_the_pictures() -> None:
    """A label that is painted in one colour is where that colour is."""
    labels = torch.zeros(40, 96, 64, dtype=torch.uint8)
    labels[:, 30:66, 16:48] = LABELS.index("top")
    pictures = torch.zeros(40, 384, 256, 3, dtype=torch.uint8)
    pictures[:, 120:264, 64:192] = 255
    torch.manual_seed(3)
    images, moved = vary(pictures, labels)
    light = torch.nn.functional.avg_pool2d(images.mean(1), STRIDE)
    right = 0
    for one, shown in zip(light, moved == LABELS.index("top"), strict=True):
        inside, outside = one[shown], one[~shown]
        # Half of them get another cloth, which may be as dark as the wall.
        right += len(inside) > 0 and bool((inside.mean() - outside.mean()).abs() > 0.02)
    assert right >= 32
