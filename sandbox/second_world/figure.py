"""The body that garments are cut for: its proportions and its pose."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from sandbox.second_world.geometry import Outline, Point, ellipse, tube

POSES = ("relaxed", "hip", "crossed", "pocket", "stride", "bag")

Limb = tuple[Point, Point, Point]
"""Shoulder, elbow, wrist; or hip, knee, ankle."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Half-widths and joints. (0, 0) is the base of the neck; left is the picture's left."""

    shoulder: float
    chest: float
    waist: float
    hip: float
    waist_y: float
    hip_y: float
    arms: tuple[Limb, Limb]
    """Left, right."""
    legs: tuple[Limb, Limb]
    head: Point
    pose: str

    @property
    def ankle_y(self) -> float:
        """Of the lower foot."""
        return max(leg[2][1] for leg in self.legs)


def flat_figure() -> Figure:
    """Nobody: clothes lie as on a table, sleeves spread."""
    return Figure(
        shoulder=0.9,
        chest=0.8,
        waist=0.7,
        hip=0.85,
        waist_y=1.5,
        hip_y=2.25,
        arms=(
            ((-0.86, 0.2), (-1.3, 1.25), (-1.62, 2.2)),
            ((0.86, 0.2), (1.3, 1.25), (1.62, 2.2)),
        ),
        legs=(
            ((-0.42, 2.35), (-0.52, 4.2), (-0.58, 6.0)),
            ((0.42, 2.35), (0.52, 4.2), (0.58, 6.0)),
        ),
        head=(0.0, -0.78),
        pose="flat",
    )


def pose_figure(rng: random.Random, female: bool, pose: str | None = None) -> Figure:
    """A body with its own proportions, in ``pose`` (drawn by default)."""
    pose = pose or rng.choice(POSES)
    shoulder = rng.uniform(0.72, 0.86) if female else rng.uniform(0.88, 1.05)
    waist = shoulder * (rng.uniform(0.66, 0.78) if female else rng.uniform(0.74, 0.9))
    hip = shoulder * (rng.uniform(0.92, 1.06) if female else rng.uniform(0.78, 0.88))
    torso, leg = rng.uniform(1.95, 2.4), rng.uniform(3.4, 4.3)
    sway = rng.uniform(-0.12, 0.12)
    left, right = _arms(pose, shoulder, waist, torso, rng)
    return Figure(
        shoulder=shoulder,
        chest=shoulder * 0.88,
        waist=waist,
        hip=hip,
        waist_y=torso * 0.66,
        hip_y=torso,
        arms=(left, right),
        legs=_legs(pose, hip, torso, leg, sway),
        head=(rng.uniform(-0.08, 0.08), rng.uniform(-0.8, -0.7)),
        pose=pose,
    )


def _arms(
    pose: str, shoulder: float, waist: float, torso: float, rng: random.Random
) -> tuple[Limb, Limb]:
    s: Point = (shoulder - 0.06, 0.22)
    length = torso * rng.uniform(0.52, 0.58)
    hanging: Limb = (
        s,
        (s[0] + rng.uniform(0.12, 0.3), s[1] + length),
        (s[0] + rng.uniform(0.1, 0.42), s[1] + 1.9 * length),
    )
    on_hip: Limb = (s, (s[0] + 0.62, s[1] + 0.85 * length), (waist + 0.12, 0.78 * torso))
    pocket: Limb = (s, (s[0] + 0.4, s[1] + length), (waist + 0.2, 1.02 * torso))
    if pose == "crossed":
        y = 0.47 * torso
        under: Limb = (s, (s[0] + 0.12, y + 0.2), (-0.38, y + 0.05))
        over: Limb = (s, (s[0] + 0.12, y + 0.25), (-0.5, y - 0.12))
        return _left(under), over
    if pose == "hip":
        return _left(hanging), on_hip
    if pose == "pocket":
        return _left(pocket), pocket
    if pose == "bag":
        carrying: Limb = (s, (s[0] + 0.2, s[1] + length), (s[0] + 0.5, s[1] + 1.45 * length))
        return _left(hanging), carrying
    return _left(hanging), hanging


def _left(limb: Limb) -> Limb:
    (ax, ay), (bx, by), (cx, cy) = limb
    return (-ax, ay), (-bx, by), (-cx, cy)


def _legs(pose: str, hip: float, torso: float, leg: float, sway: float) -> tuple[Limb, Limb]:
    x = 0.5 * hip
    spread = 0.22 if pose == "stride" else 0.08
    ankle = torso + leg
    left: Limb = ((-x, torso), (-x - 0.4 * spread + sway, torso + 0.48 * leg), (-x - spread, ankle))
    lifted = ankle - (0.22 if pose == "stride" else 0.0)
    right: Limb = ((x, torso), (x + 0.5 * spread + sway, torso + 0.47 * leg), (x + spread, lifted))
    return left, right


def body_outlines(figure: Figure) -> list[Outline]:
    """Legs, torso and neck: what is painted under the clothes."""
    legs = [tube(leg, (0.36, 0.25, 0.14)) for leg in figure.legs]
    feet = [ellipse((x, y + 0.16), 0.18, 0.22) for _, _, (x, y) in figure.legs]
    s, c, w, h = figure.shoulder, figure.chest, figure.waist, figure.hip
    side = [(s, 0.25), (c, 0.75), (w, figure.waist_y), (h, figure.hip_y)]
    torso = [(-0.2, 0.0), (0.2, 0.0), *side, (0.0, figure.hip_y + 0.35)]
    torso += [(-x, y) for x, y in reversed(side)]
    hx, hy = figure.head
    neck = [(-0.21, 0.12), (0.21, 0.12), (hx + 0.18, hy + 0.3), (hx - 0.18, hy + 0.3)]
    return [*legs, *feet, torso, neck]


def arm_outlines(figure: Figure) -> list[Outline]:
    """Both arms, hands included."""
    found = []
    for arm in figure.arms:
        (x, y), elbow, wrist = arm
        found += [tube(((0.9 * x, y + 0.14), elbow, wrist), (0.17, 0.15, 0.1)), _hand(arm)]
    return found


def _hand(arm: Limb) -> Outline:
    (ex, ey), (x, y) = arm[1], arm[2]
    length = max(math.hypot(x - ex, y - ey), 0.1)
    dx, dy = (x - ex) / length, (y - ey) / length
    stations = [(x + t * dx, y + t * dy) for t in (-0.05, 0.15, 0.3)]
    return tube(stations, (0.1, 0.13, 0.05))
