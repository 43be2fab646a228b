"""The elements of a garment's drawing, and the pose it is drawn in."""

import math
import random
from dataclasses import dataclass, field
from typing import Literal

from sandbox.world.garments import RGB
from sandbox.world.geometry import Path, Point, mirrored, rounded

Tone = Literal["dark", "light", "second", "button", "strap"] | RGB
"""A tone relative to the garment's colour, or a colour of its own."""


@dataclass(frozen=True, slots=True)
class Detail:
    """A line (with a width in body units) or, at width 0, a filled area."""

    path: Path
    tone: Tone
    width: float


@dataclass(slots=True)
class Shape:
    """Pieces make up the cloth, holes are cut out of it, details lie on it, folds shade it. The
    lining is visible through the opening while the garment is not worn.
    """

    parts: list[Path] = field(default_factory=list)
    holes: list[Path] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    folds: list[Path] = field(default_factory=list)
    lining: list[Path] = field(default_factory=list)

    def part(self, path: Path, radius: float = 3.0, both: bool = False) -> None:
        path = rounded(path, radius) if radius else path
        self.parts += [path, mirrored(path)] if both else [path]

    def hole(self, path: Path, both: bool = False) -> None:
        self.holes += [path, mirrored(path)] if both else [path]

    def line(self, path: Path, tone: Tone = "dark", width: float = 1.2, both: bool = False) -> None:
        for way in (path, mirrored(path)) if both else (path,):
            self.details.append(Detail(way, tone, width))

    def area(self, path: Path, tone: Tone = "dark", both: bool = False) -> None:
        for way in (path, mirrored(path)) if both else (path,):
            self.details.append(Detail(way, tone, 0.0))

    def fold(self, path: Path, both: bool = False) -> None:
        self.folds += [path, mirrored(path)] if both else [path]


@dataclass(frozen=True, slots=True)
class Pose:
    """Joints in body coordinates: shoulder, elbow, hand; hip, knee, ankle."""

    right_arm: Path
    left_arm: Path
    right_leg: Path
    left_leg: Path

    @property
    def arms(self) -> tuple[Path, Path]:
        return self.right_arm, self.left_arm

    @property
    def legs(self) -> tuple[Path, Path]:
        return self.right_leg, self.left_leg


_SHOULDER: Point = (23.0, 58.0)
_UPPER_ARM, _FOREARM = 27.0, 26.0


def _arm(angle: float, bend: float) -> Path:
    x, y = _SHOULDER
    elbow = (x + _UPPER_ARM * math.sin(angle), y + _UPPER_ARM * math.cos(angle))
    turned = angle + bend
    hand = (elbow[0] + _FOREARM * math.sin(turned), elbow[1] + _FOREARM * math.cos(turned))
    return [_SHOULDER, elbow, hand]


def _leg(ankle: float, knee_out: float = 0.0) -> Path:
    return [(11.0, 98.0), (11.0 + (ankle - 11.0) * 0.5 + knee_out, 140.0), (ankle, 184.0)]


def flat_pose(rng: random.Random, ankle: float | None = None) -> Pose:
    """The pose of a product photograph: symmetric, sleeves slightly away from the body."""
    arm = _arm(rng.uniform(0.33, 0.62), rng.uniform(-0.25, 0.1))
    leg = _leg(rng.uniform(11.0, 15.0) if ankle is None else ankle)
    return Pose(arm, mirrored(arm), leg, mirrored(leg))


def standing_pose(rng: random.Random) -> Pose:
    """The pose of a person: the right arm hangs and may hold a bag, the left one varies."""
    right = _arm(rng.uniform(0.34, 0.62), rng.uniform(-0.3, 0.12))
    angles = rng.choice(((0.3, 0.6, -0.35, 0.2), (0.7, 1.0, -0.6, 0.4), (0.62, 0.8, -1.6, -1.2)))
    left = _arm(rng.uniform(*angles[:2]), rng.uniform(*angles[2:]))
    ankles = rng.uniform(10.0, 16.0), rng.uniform(10.0, 16.0)
    knees = rng.uniform(-1.0, 2.5), rng.uniform(-1.0, 2.5)
    return Pose(
        right, mirrored(left), _leg(ankles[0], knees[0]), mirrored(_leg(ankles[1], knees[1]))
    )
