"""The people of the world: skin, hair, face and build."""

import math
import random
from dataclasses import dataclass

from PIL import ImageDraw

from sandbox.world.cloth import mix
from sandbox.world.garments import RGB
from sandbox.world.geometry import (
    Build,
    Path,
    Placement,
    dome,
    ellipse,
    limb,
    mirrored,
    rounded,
    symmetric,
)
from sandbox.world.painting import Canvas, paint_flat
from sandbox.world.shapes import Pose, standing_pose

SKIN_TONES: tuple[RGB, ...] = (
    (255, 224, 196),
    (244, 204, 168),
    (232, 180, 134),
    (206, 148, 100),
    (168, 110, 70),
    (126, 78, 48),
    (88, 56, 38),
)
HAIR_COLOURS: tuple[RGB, ...] = (
    (32, 24, 24),
    (58, 38, 28),
    (92, 58, 34),
    (150, 98, 52),
    (214, 176, 108),
    (140, 58, 30),
    (172, 172, 178),
)
HAIR_STYLES = ("short", "parted", "bob", "long", "bun", "ponytail", "curly", "bald")
_HAIR_WEIGHTS = (5, 4, 4, 5, 3, 3, 3, 1)
_LIPS: tuple[RGB, ...] = ((176, 60, 66), (196, 92, 88), (150, 60, 56))


@dataclass(frozen=True, slots=True)
class Person:
    """The properties of a body, independent of its clothes."""

    skin: RGB
    hair: RGB
    style: str
    lips: RGB
    smile: float
    build: Build
    pose: Pose


def sample_person(rng: random.Random) -> Person:
    """Draw a random person."""
    return Person(
        skin=rng.choice(SKIN_TONES),
        hair=rng.choice(HAIR_COLOURS),
        style=rng.choices(HAIR_STYLES, _HAIR_WEIGHTS)[0],
        lips=rng.choice(_LIPS),
        smile=rng.uniform(2.0, 4.0),
        build=Build(
            girth=rng.triangular(0.84, 1.24, 0.98),
            legs=rng.uniform(0.96, 1.06),
            hips=rng.uniform(-0.06, 0.10),
            sway=rng.uniform(-2.0, 2.0),
        ),
        pose=standing_pose(rng),
    )


def paint_body(
    canvas: Canvas, person: Person, placement: Placement, skin_label: int, hair_label: int
) -> None:
    """Paint what the clothes cover: hair behind the body, trunk, arms, legs and feet."""
    behind = _hair_behind(person.style)
    if behind:
        paint_flat(canvas, behind, person.hair, placement, hair_label)
    paths: list[Path] = []
    for arm in person.pose.arms:
        paths += [limb(arm, 6.6, 4.4), ellipse(*arm[2], 4.8, 5.2)]
    for side, leg in zip((1.0, -1.0), person.pose.legs, strict=True):
        x = side * leg[2][0] + 1
        foot: Path = [(x - 6, 182), (x + 5, 180), (x + 14, 193), (x + 12, 196), (x - 7, 196)]
        paths += [limb(leg, 10.5, 5.8), rounded([(side * px, py) for px, py in foot], 3.0)]
    trunk: Path = [(6, 38), (6.5, 49), (21, 54), (20, 78), (18, 90), (22, 104), (12, 114), (1, 112)]
    paths.append(rounded(symmetric(trunk), 3.0))
    paint_flat(canvas, paths, person.skin, placement, skin_label)
    neck = placement(rounded([(-6, 42), (6, 42), (5, 49), (0, 52), (-5, 49)], 2.0))
    ImageDraw.Draw(canvas.picture).polygon(neck, fill=mix(person.skin, (70, 24, 10), 0.26))


def paint_head(
    canvas: Canvas,
    person: Person,
    placement: Placement,
    skin_label: int,
    hair_label: int,
    hat: bool,
) -> None:
    """Paint head, face and the hair in front; with a hat, no bun and less volume."""
    ears = [ellipse(17.0, 28, 3.2, 4.4), ellipse(-17.0, 28, 3.2, 4.4)]
    face: Path = [(0, 7), (13, 9), (17.5, 22), (16, 35), (9, 43.5), (0, 46)]
    paint_flat(
        canvas, [*ears, rounded(symmetric(face), 6.0)], person.skin, placement, skin_label, 0.6
    )
    _paint_face(canvas, person, placement)
    front = _hair_front(person.style, hat)
    if front:
        paint_flat(canvas, front, person.hair, placement, hair_label, 0.9)


def paint_hand(canvas: Canvas, person: Person, placement: Placement, skin_label: int) -> None:
    """Paint the hand that holds the bag, over its handle."""
    x, y = person.pose.right_arm[2]
    paint_flat(canvas, [ellipse(x, y, 4.8, 4.6)], person.skin, placement, skin_label, 0.5)


def _hair_behind(style: str) -> list[Path]:
    if style == "long":
        locks: Path = [(0, 6), (17, 10), (22, 26), (22, 48), (25, 68), (14, 74), (0, 70)]
        return [rounded(symmetric(locks), 6.0)]
    if style == "bob":
        return [rounded(symmetric([(0, 6), (17, 9), (22, 24), (22, 44), (12, 49), (0, 46)]), 5.0)]
    if style == "ponytail":
        return [
            rounded([(10, 14), (24, 18), (30, 36), (27, 58), (21, 62), (22, 42), (14, 28)], 5.0)
        ]
    if style == "curly":
        rim = [(21 * math.sin(a / 5), 20 - 19 * math.cos(a / 5)) for a in range(-11, 12)]
        return [ellipse(x, y, 7.5, 7.5, steps=14) for x, y in rim]
    return []


def _hair_front(style: str, hat: bool) -> list[Path]:
    if style == "bald":
        return []
    cap: Path = dome(0, 23, 18.8, 19.5)
    if style == "parted":
        return [rounded([*cap, (18, 30), (15, 20), (4, 11), (-12, 19), (-16, 20), (-18, 30)], 2.0)]
    fringe: Path = [(18.6, 27), (15, 17), (6, 13.5), (-6, 14), (-15, 18), (-18.6, 28)]
    paths = [rounded([*cap, *fringe], 2.0)]
    if style in ("long", "bob"):
        lock: Path = [(15, 14), (19, 20), (20.5, 44), (16.5, 44), (16, 24)]
        paths += [rounded(lock, 2.0), mirrored(rounded(lock, 2.0))]
    if style == "bun" and not hat:
        paths.append(ellipse(0, 2, 8, 7))
    if style == "curly" and not hat:
        paths += [ellipse(x, 9 - abs(x) * -0.35, 6, 6, steps=12) for x in (-13, -5, 5, 13)]
    return paths


def _paint_face(canvas: Canvas, person: Person, placement: Placement) -> None:
    draw = ImageDraw.Draw(canvas.picture)
    scale = placement.scale
    shade = mix(person.skin, (80, 20, 10), 0.34)
    blush = mix(person.skin, (226, 84, 84), 0.22)

    def stroke(path: Path, colour: RGB, width: float) -> None:
        draw.line(placement(path), fill=colour, width=max(1, round(width * scale)), joint="curve")

    for side in (-1.0, 1.0):
        draw.polygon(placement(ellipse(side * 10.5, 34, 3.2, 2.2, steps=12)), fill=blush)
        draw.polygon(placement(ellipse(side * 7.2, 27, 3.0, 2.2, steps=12)), fill=(250, 250, 250))
        draw.polygon(placement(ellipse(side * 7.0, 27.1, 1.9, 2.1, steps=10)), fill=(36, 26, 24))
        stroke([(side * 4, 24.6), (side * 7.2, 23.9), (side * 10.4, 25.2)], (40, 28, 26), 0.9)
        stroke([(side * 3.8, 20.4), (side * 7.5, 19.2), (side * 11, 20.6)], shade, 1.5)
    stroke([(0.6, 28), (1.8, 32.2), (-0.6, 32.6)], shade, 1.0)
    stroke(ellipse(0, 36.2, 4.6, person.smile, (0.25, math.pi - 0.25), 8), person.lips, 1.7)
