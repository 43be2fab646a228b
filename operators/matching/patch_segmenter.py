"""Locate layers with the encoder alone.

The heat map of a department (operators.matching.heat) gives the layer's region, and a second,
zoomed heat map refines it. The heat in both, and how well the region's crop is classified as the
department, give the probability that the layer is there at all. Alternatives measured:
docs/decisions/040.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.matching.areas import connected_areas
from operators.matching.calibration import Calibration
from operators.matching.crops import cut, is_visible, square_around
from operators.matching.heat import Heat, coarse_heat_map, heat_map, zoomed_heat_map
from operators.ports import ImageTextEncoder, Located, Vector
from operators.zero_shot import ZeroShotClassifier
from schemas.attributes import Department
from schemas.looks import Region

SURROUNDINGS = ("skin", "hair", "background")
"""Classes besides the departments in a picture of a person."""

ONE_PIECE = Department.DRESS
TWO_PIECES = (Department.TOP, Department.BOTTOM)
"""Mutually exclusive with ONE_PIECE."""

PEAK_CELLS = 16
"""A layer's peak is the mean of this many hottest cells: fewer than the smallest garment covers
(glasses on a full figure: about 17 x 7 cells), more than the centre of a stray patch."""

HOT = 0.4
"""Cells with at least this share of the peak belong to the layer."""

EDGE_SHARE = 0.005
"""Share of a layer's heat trimmed from each side of its box, to drop stray patches."""

FLOOR = 1e-4
"""Added to probabilities before their logarithm is taken."""

FOREGROUND = 0.4
"""Cells whose probability of not being background is at least this belong to a person. Lower, and
two people side by side grow together."""

SMALLEST_PERSON = 0.15
"""Height of the smallest person that is found, as a share of the picture's."""

OPEN = 0.1
"""Both readings, one piece and two pieces, are kept unless one is less probable than this: twice as
much as none of 80 drawn looks was misread with, for a third of the passes of keeping both always.
"""

FAINT = 0.05
"""Regions with a lower peak are not zoomed in on: no layer of the sandbox has one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Features of the probability that a picture shows a department."""

    region: Region
    peak: float
    """Mean probability of the hottest cells."""
    closer: float
    """The same in the zoomed heat map."""
    area: float
    """Square root of the share of cells that show the department with at least 0.5 probability;
    the root puts glasses and coats on one scale."""
    likeness: float
    """Log-probability that the region's crop shows the department."""
    vector: Vector | None = None
    """The crop's embedding; None where the peak is too faint for a closer look."""

    def features(self, department: Department) -> dict[str, float]:
        """The features of :attr:`Calibration.presence`, by name.

        Each department has a feature of its own, as some are easier to see than others.
        """
        return {
            "peak": self.peak,
            "closer": self.closer,
            "area": self.area,
            "likeness": self.likeness,
            department.value: 1.0,
        }


class PatchSegmenter:
    """A :class:`operators.ports.Segmenter` and :class:`operators.ports.PersonFinder` that needs
    nothing but an encoder."""

    fingerprint = "patches-4"
    """Of the method only; encoder and calibration are identified separately."""

    def __init__(
        self,
        encoder: ImageTextEncoder,
        departments: Sequence[Department],
        calibration: Calibration,
    ) -> None:
        """``departments``: to locate; those that the calibration lacks are ignored."""
        self._encoder = encoder
        self._calibration = calibration
        self._departments = tuple(d for d in departments if d in calibration.departments)
        self._classes = ZeroShotClassifier(
            encoder,
            {name: _prompts(name) for name in (*self._departments, *SURROUNDINGS)},
            scale=calibration.patch_scale,
        )

    async def prepare(self) -> None:
        """Encode the classes' prompts ahead of the first look."""
        await self._classes.vectors()

    async def locate(self, image: Image, layers: Sequence[Department]) -> dict[Department, Located]:
        heat = await self.heat(image)
        ratio = {"log_ratio": self.one_piece_log_ratio(heat)}
        one_piece = self._calibration.one_piece.probability(ratio)
        likelier = one_piece >= 0.5
        found = await self.evidence(image, heat, likelier)
        readings = {ONE_PIECE: one_piece, **dict.fromkeys(TWO_PIECES, 1 - one_piece)}
        if self._calibration.catalog is not None and OPEN < one_piece < 1 - OPEN:
            other = TWO_PIECES if likelier else (ONE_PIECE,)
            found |= await self.evidence(image, heat, not likelier, other)
        return {
            department: Located(
                one.region,
                self._calibration.presence.probability(one.features(department)),
                one.vector,
                readings.get(department, 1.0),
            )
            for department, one in found.items()
            if department in layers and is_visible(one.region, image)
        }

    async def find_people(self, image: Image) -> list[Region]:
        """The connected areas that are anything but background: clothes, skin or hair."""
        classes = await self._classes.vectors()
        heat = await coarse_heat_map(image, self._encoder, classes, self._calibration.patch_scale)
        background = len(self._departments) + SURROUNDINGS.index("background")
        people = stack_parts(connected_areas(1 - heat[background] >= FOREGROUND))
        return [one for one in people if one.y1 - one.y0 >= SMALLEST_PERSON]

    async def heat(self, image: Image) -> Heat:
        """The picture's heat map; classes: the departments in their order, then SURROUNDINGS."""
        classes = await self._classes.vectors()
        return await heat_map(image, self._encoder, classes, self._calibration.patch_scale)

    def one_piece_log_ratio(self, heat: Heat) -> float:
        """Log of the heat of ONE_PIECE over the geometric mean of the heat of TWO_PIECES."""
        mass = np.log(heat.mean((1, 2)) + FLOOR)
        one, two = self._numbers([ONE_PIECE]), self._numbers(TWO_PIECES)
        return float(mass[one].sum() - mass[two].sum() / max(len(two), 1))

    async def evidence(
        self, image: Image, heat: Heat, one_piece: bool, only: Sequence[Department] | None = None
    ) -> dict[Department, Evidence]:
        """The evidence for each department that is possible with, or without, a one-piece; of
        ``only`` these."""
        excluded = self._numbers(TWO_PIECES if one_piece else [ONE_PIECE])
        heat, classes = _without(heat, excluded), await self._classes.vectors()
        asked = self._numbers(self._departments if only is None else only)
        kept = [n for n in asked if n not in excluded]

        async def evidence_of(number: int) -> Evidence:
            box, peak = _box_of(heat[number])
            area = float(np.sqrt((heat[number] >= 0.5).mean()))
            if peak < FAINT:
                return Evidence(box, peak, 0.0, area, float(np.log(FLOOR)))
            frame, zoomed = await zoomed_heat_map(
                image, box, self._encoder, classes, self._calibration.patch_scale
            )
            closer_box, closer = _box_of(_without(zoomed, excluded)[number])
            region = frame.region(closer_box, image.width, image.height)
            square = square_around(region, image.width, image.height)
            vector = await self._encoder.encode_image(cut(image, square))
            probabilities = await self._classes.probabilities(vector)
            likeness = float(np.log(probabilities[self._departments[number]] + FLOOR))
            return Evidence(region, peak, closer, area, likeness, vector)

        found = await asyncio.gather(*map(evidence_of, kept))
        return {self._departments[n]: one for n, one in zip(kept, found, strict=True)}

    def _numbers(self, departments: Sequence[Department]) -> list[int]:
        return [n for n, d in enumerate(self._departments) if d in departments]


def _prompts(name: str) -> list[str]:
    thing = name.replace("_", " ")
    return [thing, f"a {thing}", f"a photo of a {thing}"]


def _without(heat: Heat, excluded: Sequence[int]) -> Heat:
    """The probabilities conditioned on the absence of the excluded classes."""
    kept = heat.copy()
    kept[list(excluded)] = 0.0
    return np.asarray(kept / (kept.sum(0) + 1e-9))


def _box_of(heat: NDArray[np.float64]) -> tuple[Region, float]:
    """The box around a department's hot cells, in fractions of the frame, and the peak."""
    peak = float(np.sort(heat, axis=None)[-PEAK_CELLS:].mean())
    hot = np.where(heat >= HOT * peak, heat, 0.0)
    y0, y1 = extent(hot.sum(1))
    x0, x1 = extent(hot.sum(0))
    return Region(x0=x0, y0=y0, x1=x1, y1=y1), peak


def stack_parts(parts: Sequence[Region]) -> list[Region]:
    """Join parts that lie above each other: bare legs often look like background, and shoes must
    not be lost. Parts side by side are different people."""
    joined: list[Region] = []
    for part in sorted(parts, key=lambda one: one.x0 - one.x1):  # the widest first
        for number, whole in enumerate(joined):
            shared = min(part.x1, whole.x1) - max(part.x0, whole.x0)
            if shared >= (part.x1 - part.x0) / 2:
                joined[number] = Region(
                    x0=min(part.x0, whole.x0),
                    y0=min(part.y0, whole.y0),
                    x1=max(part.x1, whole.x1),
                    y1=max(part.y1, whole.y1),
                )
                break
        else:
            joined.append(part)
    return joined


def extent(profile: NDArray[np.float64]) -> tuple[float, float]:
    """Start and end, in fractions of the axis, of all but the outermost heat; never empty."""
    if not profile.any():
        return 0.0, 1.0
    cumulative = np.cumsum(profile) / profile.sum()
    first = int(np.searchsorted(cumulative, EDGE_SHARE))
    last = int(np.searchsorted(cumulative, 1 - EDGE_SHARE))
    return first / len(profile), min(1.0, (last + 1) / len(profile))
