"""Looks: a person in an outfit of three to five layers, in the style of an image generator."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from sandbox.world.artefacts import add_artefacts
from sandbox.world.cloth import Printing
from sandbox.world.garments import DEPARTMENTS, Garment, sample_garment
from sandbox.world.geometry import Placement
from sandbox.world.painting import Canvas, Finish, paint_garment
from sandbox.world.person import Person, paint_body, paint_hand, paint_head, sample_person
from sandbox.world.product import SUPERSAMPLING, shape_of
from sandbox.world.scene import draw_scene

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the picture."""

LABELS: tuple[str, ...] = ("background", *DEPARTMENTS, "skin", "hair")
"""Names of the values in a label mask."""
LABEL_REDUCTION = 4

_DRAWING_ORDER = ("bottom", "footwear", "top", "dress", "outerwear")
_DRESS_SHARE = 0.35
_SKIN, _HAIR = LABELS.index("skin"), LABELS.index("hair")


@dataclass(frozen=True, slots=True)
class DrawnLook:
    """A picture and its ground truth: `boxes` bound the visible part of each garment; `labels` is
    uint8 at a quarter of the picture's width and height, with values named by `LABELS`."""

    picture: Image.Image
    boxes: dict[str, Box]
    labels: npt.NDArray[np.uint8]


def sample_outfit(rng: random.Random) -> dict[str, Garment]:
    """Draw three to five garments that are worn together, at most one per department."""
    worn = ["dress", "footwear"] if rng.random() < _DRESS_SHARE else ["top", "bottom", "footwear"]
    worn += rng.sample(["headwear", "eyewear", "outerwear", "bag"], rng.randint(3, 5) - len(worn))
    return {name: sample_garment(rng, name) for name in DEPARTMENTS if name in worn}


def draw_look(
    outfit: Mapping[str, Garment],
    rng: random.Random,
    size: tuple[int, int] = (256, 384),
    printing: Printing | None = None,
) -> DrawnLook:
    """Draw a person in the outfit, RGB of `size` (width, height). `printing`: None for the shop's
    own cloth."""
    width, height = size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING
    person = sample_person(rng)
    scene = draw_scene((width, height), rng)
    canvas = Canvas(scene, Image.new("L", scene.size, 0), printing or Printing())
    placement = _stand(person, width, height, rng)
    _paint(canvas, outfit, person, placement, rng)
    assert canvas.labels is not None
    reduction = LABEL_REDUCTION * SUPERSAMPLING
    small = canvas.labels.resize(
        (width // reduction, height // reduction), Image.Resampling.NEAREST
    )
    boxes = _boxes(canvas.labels, outfit)
    picture = add_artefacts(canvas.picture.reduce(SUPERSAMPLING), rng)
    return DrawnLook(picture, boxes, np.asarray(small, dtype=np.uint8))


def _stand(person: Person, width: int, height: int, rng: random.Random) -> Placement:
    top = height * rng.uniform(0.04, 0.085)
    scale = (height * rng.uniform(0.925, 0.975) - top) / (100 + 100 * person.build.legs)
    turn = rng.uniform(-0.03, 0.03)
    x = width * rng.uniform(0.44, 0.54) + 100 * scale * turn
    bend, phase = rng.uniform(0.2, 0.8), rng.uniform(0, 6)
    return Placement(scale, (x, top), turn, 1.0, person.build, bend, phase)


def _paint(
    canvas: Canvas,
    outfit: Mapping[str, Garment],
    person: Person,
    placement: Placement,
    rng: random.Random,
) -> None:
    def wear(department: str) -> None:
        if department in outfit:
            garment = outfit[department]
            finish = Finish(label=LABELS.index(department), shadow=0.34, reach=1.6)
            shape = shape_of(garment, person.pose)
            paint_garment(canvas, shape, garment, placement, rng, finish)

    paint_body(canvas, person, placement, _SKIN, _HAIR)
    for department in _DRAWING_ORDER:
        wear(department)
    paint_head(canvas, person, placement, _SKIN, _HAIR, "headwear" in outfit)
    wear("eyewear")
    wear("headwear")
    if "bag" in outfit:
        wear("bag")
        paint_hand(canvas, person, placement, _SKIN)


def _boxes(labels: Image.Image, outfit: Mapping[str, Garment]) -> dict[str, Box]:
    boxes: dict[str, Box] = {}
    for department in outfit:
        label = LABELS.index(department)
        bounds = labels.point([255 if value == label else 0 for value in range(256)]).getbbox()
        if bounds is not None:
            x0, y0, x1, y1 = (value / SUPERSAMPLING for value in bounds)
            boxes[department] = (x0, y0, x1, y1)
    return boxes
