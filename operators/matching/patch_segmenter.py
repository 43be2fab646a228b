"""Where each layer is, found by the encoder itself.

A heat map per department (operators.matching.heat) gives each layer's region, which is then read
once more by itself; how hot it is both times, and how much the region as a picture of its own
looks like the department, say whether it is there at all. Which reading measures best:
docs/decisions/040.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.matching.calibration import Calibration
from operators.matching.crops import cut, square_around
from operators.matching.heat import Heat, read_closer, read_heat
from operators.ports import ImageTextEncoder, Located
from operators.zero_shot import ZeroShotClassifier
from schemas.attributes import Department
from schemas.looks import Region

SURROUNDINGS = ("skin", "hair", "background")
"""What a picture of a person shows besides garments."""

ONE_PIECE = Department.DRESS
TWO_PIECES = (Department.TOP, Department.BOTTOM)
"""Alternatives: a body is covered by the one or by the others."""

PEAK_CELLS = 16
"""A layer's peak is the mean of this many hottest cells: less than the smallest garment covers
(glasses on a full figure: about 17 x 7 cells), more than a stray patch's centre."""

HOT = 0.4
"""Of the peak: what is at least so hot belongs to the layer."""

EDGE_SHARE = 0.005
"""Share of a layer's heat that is cut off on each side of its box: stray patches."""

FLOOR = 1e-4
"""Probabilities below are as good as none."""

FAINT = 0.05
"""Peaks below are not looked at closer: none of the sandbox's layers has one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a department's being in a picture."""

    region: Region
    peak: float
    """Mean probability of the hottest cells."""
    closer: float
    """The same when the region is read by itself."""
    area: float
    """Square root of the share of the picture that is more likely the department than not, so
    that glasses and coats are on one scale."""
    likeness: float
    """Log-probability that the region, as a picture of its own, shows the department."""

    def features(self, department: Department) -> dict[str, float]:
        """As :attr:`Calibration.presence` names them; departments are not equally easy to see."""
        return {
            "peak": self.peak,
            "closer": self.closer,
            "area": self.area,
            "likeness": self.likeness,
            department.value: 1.0,
        }


class PatchSegmenter:
    """Implements :class:`operators.ports.Segmenter` with nothing but an encoder."""

    fingerprint = "patches-1"
    """Of the method; what else regions depend on is the encoder's and the calibration's."""

    def __init__(
        self,
        encoder: ImageTextEncoder,
        departments: Sequence[Department],
        calibration: Calibration,
    ) -> None:
        """``departments``: what is looked for, as far as the encoder is calibrated on it."""
        self._encoder = encoder
        self._calibration = calibration
        self._departments = tuple(d for d in departments if d in calibration.departments)
        self._classes = ZeroShotClassifier(
            encoder,
            {name: _prompts(name) for name in (*self._departments, *SURROUNDINGS)},
            scale=calibration.patch_scale,
        )

    async def prepare(self) -> None:
        """Encode the classes' prompts, so that no look waits for it."""
        await self._classes.vectors()

    async def locate(self, image: Image, layers: Sequence[Department]) -> dict[Department, Located]:
        heat = await self.heat(image)
        ratio = {"log_ratio": self.one_piece_log_ratio(heat)}
        one_piece = self._calibration.one_piece.probability(ratio) >= 0.5
        presence = self._calibration.presence
        return {
            department: Located(one.region, presence.probability(one.features(department)))
            for department, one in (await self.evidence(image, heat, one_piece)).items()
            if department in layers
        }

    async def heat(self, image: Image) -> Heat:
        """Classes in the order of the departments, then SURROUNDINGS."""
        classes = await self._classes.vectors()
        return await read_heat(image, self._encoder, classes, self._calibration.patch_scale)

    def one_piece_log_ratio(self, heat: Heat) -> float:
        """Log of the one-piece's heat over the geometric mean of the two pieces'."""
        mass = np.log(heat.mean((1, 2)) + FLOOR)
        one, two = self._numbers([ONE_PIECE]), self._numbers(TWO_PIECES)
        return float(mass[one].sum() - mass[two].sum() / max(len(two), 1))

    async def evidence(
        self, image: Image, heat: Heat, one_piece: bool
    ) -> dict[Department, Evidence]:
        """For every department that may be there, given whether the body wears a one-piece."""
        excluded = self._numbers(TWO_PIECES if one_piece else [ONE_PIECE])
        heat, classes = _without(heat, excluded), await self._classes.vectors()
        kept = [n for n in range(len(self._departments)) if n not in excluded]

        async def look_at(number: int) -> Evidence:
            box, peak = _box_of(heat[number])
            area = float(np.sqrt((heat[number] >= 0.5).mean()))
            if peak < FAINT:
                return Evidence(box, peak, 0.0, area, float(np.log(FLOOR)))
            frame, local = await read_closer(
                image, box, self._encoder, classes, self._calibration.patch_scale
            )
            closer_box, closer = _box_of(_without(local, excluded)[number])
            region = frame.region(closer_box, image.width, image.height)
            square = square_around(region, image.width, image.height)
            vector = await self._encoder.encode_image(cut(image, square))
            probabilities = await self._classes.probabilities(vector)
            likeness = float(np.log(probabilities[self._departments[number]] + FLOOR))
            return Evidence(region, peak, closer, area, likeness)

        seen = await asyncio.gather(*map(look_at, kept))
        return {self._departments[n]: one for n, one in zip(kept, seen, strict=True)}

    def _numbers(self, departments: Sequence[Department]) -> list[int]:
        return [n for n, d in enumerate(self._departments) if d in departments]


def _prompts(name: str) -> list[str]:
    thing = name.replace("_", " ")
    return [thing, f"a {thing}", f"a photo of a {thing}"]


def _without(heat: Heat, excluded: Sequence[int]) -> Heat:
    """Probabilities given that the excluded classes are not there."""
    kept = heat.copy()
    kept[list(excluded)] = 0.0
    return np.asarray(kept / (kept.sum(0) + 1e-9))


def _box_of(heat: NDArray[np.float64]) -> tuple[Region, float]:
    """Of one department's heat: the box of what is hot, in fractions of the frame, and the peak."""
    peak = float(np.sort(heat, axis=None)[-PEAK_CELLS:].mean())
    hot = np.where(heat >= HOT * peak, heat, 0.0)
    y0, y1 = _extent(hot.sum(1))
    x0, x1 = _extent(hot.sum(0))
    return Region(x0=x0, y0=y0, x1=x1, y1=y1), peak


def _extent(profile: NDArray[np.float64]) -> tuple[float, float]:
    """The fractions of the axis between which all but the outermost heat lies; never empty."""
    if not profile.any():
        return 0.0, 1.0
    cumulated = np.cumsum(profile) / profile.sum()
    first = int(np.searchsorted(cumulated, EDGE_SHARE))
    last = int(np.searchsorted(cumulated, 1 - EDGE_SHARE))
    return first / len(profile), min(1.0, (last + 1) / len(profile))
