"""Locate layers and people by human parsing: one pass of a model that labels each pixel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.matching.areas import connected_areas
from operators.matching.calibration import LayerCalibration
from operators.matching.crops import is_visible
from operators.matching.patch_segmenter import (
    ONE_PIECE,
    SMALLEST_PERSON,
    TWO_PIECES,
    extent,
    stack_parts,
)
from operators.ports import HumanParser, Located
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.looks import Region

Heat = NDArray[np.float64]
"""Shape (rows, columns): the probability of a department in each cell of the picture."""

DEPARTMENT_OF: Mapping[str, Department] = MappingProxyType(
    {
        **{one.value: one for one in Department},
        # ATR (Liang et al. 2015), the labels of mattmdjaga/segformer_b2_clothes.
        "upper-clothes": Department.TOP,
        "pants": Department.BOTTOM,
        "skirt": Department.BOTTOM,
        "hat": Department.HEADWEAR,
        "sunglasses": Department.EYEWEAR,
        "left-shoe": Department.FOOTWEAR,
        "right-shoe": Department.FOOTWEAR,
        # FASHN's human parser.
        "jewelry": Department.JEWELLERY,
        # Fashionpedia (Jia et al. 2020).
        "shirt, blouse": Department.TOP,
        "top, t-shirt, sweatshirt": Department.TOP,
        "sweater": Department.TOP,
        "cardigan": Department.TOP,
        "vest": Department.TOP,
        "jacket": Department.OUTERWEAR,
        "coat": Department.OUTERWEAR,
        "cape": Department.OUTERWEAR,
        "shorts": Department.BOTTOM,
        "jumpsuit": Department.DRESS,
        "glasses": Department.EYEWEAR,
        "headband, head covering, hair accessory": Department.HEADWEAR,
        "glove": Department.GLOVES,
        "tights, stockings": Department.HOSIERY,
        "sock": Department.HOSIERY,
        "shoe": Department.FOOTWEAR,
        "bag, wallet": Department.BAG,
    }
)
"""Labels of known parsers, in lower case; others, such as a sleeve or a face, are a person's."""

BACKGROUND = ("background", "unlabelled", "unlabeled")

PEAK_CELLS = 8
"""A layer's peak is the mean of this many of its most probable cells: fewer than glasses have on a
full figure, in a grid of 64 x 64."""

LEAST = 1e-4
"""No cell's probability counts as less, or as more than the rest."""

FAINT = 0.05
"""Layers with a lower peak are not located: their box would be one around noise."""

HOT = 0.5
"""Cells with at least this share of the peak belong to the layer."""

STRAY = 0.1
"""Areas with a smaller share of the layer's largest one do not: they would stretch its box. Two
shoes are two areas."""

FOREGROUND = 0.5
"""Cells that are less probably background belong to a person."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a parser says of one person's layers."""

    regions: Mapping[Department, Region]
    log_odds: Mapping[Department, float]
    """Of the layers' peaks, the mean probability of their most probable cells."""
    log_ratio: float
    """Log of the mass of ONE_PIECE over that of TWO_PIECES."""

    def features(self, department: Department) -> dict[str, float]:
        """The features of :attr:`LayerCalibration.presence`, by name: some departments are easier
        to see than others."""
        return {"log_odds": self.log_odds[department], department.value: 1.0}


class ParsedLayers:
    """A :class:`operators.ports.Segmenter` and :class:`operators.ports.PersonFinder`."""

    def __init__(self, parser: HumanParser, calibration: LayerCalibration) -> None:
        """``calibration``: of the parser. Raises Misconfigured when the parser's labels name no
        garment, or no background."""
        names = [label.lower() for label in parser.labels]
        self._parser, self._calibration = parser, calibration
        self._labels: dict[Department, list[int]] = {}
        for number, name in enumerate(names):
            if name in DEPARTMENT_OF:
                self._labels.setdefault(DEPARTMENT_OF[name], []).append(number)
        background = [number for number, name in enumerate(names) if name in BACKGROUND]
        if not self._labels or not background:
            raise Misconfigured(
                f"parser.model tells {', '.join(names)} apart: a parser of clothes has labels for "
                "the background and for garments (docs/models.md)"
            )
        self._background = background
        fitted = hashlib.sha256(calibration.model_dump_json().encode()).hexdigest()[:8]
        self.fingerprint = f"parsed-1:{parser.fingerprint}:{fitted}"

    @property
    def departments(self) -> frozenset[Department]:
        """Of the layers that it can find."""
        return frozenset(self._labels)

    async def find_people(self, image: Image) -> list[Region]:
        """The connected areas that are anything but background: clothes, skin or hair."""
        return self._people(await self._parser.parse(image))

    async def locate(self, image: Image, layers: Sequence[Department]) -> dict[Department, Located]:
        """The layers of the largest person; of anybody where nobody is found."""
        parsed = await self.parse(image)
        one_piece = self._calibration.one_piece.probability({"log_ratio": parsed.log_ratio})
        readings = {ONE_PIECE: one_piece, **dict.fromkeys(TWO_PIECES, 1 - one_piece)}
        return {
            department: Located(
                region,
                self._calibration.presence.probability(parsed.features(department)),
                reading=readings.get(department, 1.0),
            )
            for department, region in parsed.regions.items()
            if department in layers and is_visible(region, image)
        }

    async def parse(self, image: Image) -> Parsed:
        """What the parser sees of the largest person; of anybody where nobody is found."""
        cells = (await self._parser.parse(image)).astype(np.float64)
        people = self._people(cells)
        if people:
            person = max(people, key=lambda one: (one.x1 - one.x0) * (one.y1 - one.y0))
            cells = cells * _inside(person, cells.shape[1:])
        heat = {one: cells[numbers].sum(0) for one, numbers in self._labels.items()}
        log_ratio = np.log(_mass(heat, (ONE_PIECE,))) - np.log(_mass(heat, TWO_PIECES))
        peaks = {
            department: float(np.sort(one, axis=None)[-PEAK_CELLS:].mean())
            for department, one in heat.items()
        }
        found = [department for department, peak in peaks.items() if peak >= FAINT]
        return Parsed(
            {one: _box_around(_hot(heat[one], peaks[one])) for one in found},
            {one: _log_odds(peaks[one]) for one in found},
            float(log_ratio),
        )

    def _people(self, cells: NDArray[np.floating]) -> list[Region]:
        background = cells[self._background].sum(0)
        people = stack_parts(connected_areas(background < 1 - FOREGROUND))
        return [one for one in people if one.y1 - one.y0 >= SMALLEST_PERSON]


def _hot(heat: Heat, peak: float) -> Heat:
    return np.where(heat >= HOT * peak, heat, 0.0)


def _log_odds(probability: float) -> float:
    bounded = min(1 - LEAST, max(LEAST, probability))
    return float(np.log(bounded / (1 - bounded)))


def _mass(heat: Mapping[Department, Heat], departments: Sequence[Department]) -> float:
    """How many cells show the departments, at least one."""
    return 1.0 + float(sum(heat[one].sum() for one in departments if one in heat))


def _inside(region: Region, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Which cells of a grid of ``shape`` (rows, columns) lie in ``region``."""
    rows, columns = ((np.arange(cells) + 0.5) / cells for cells in shape)
    return np.outer(
        (region.y0 <= rows) & (rows <= region.y1), (region.x0 <= columns) & (columns <= region.x1)
    )


def _box_around(hot: Heat) -> Region:
    """The box around a department's hot cells, others are 0, in fractions of the picture."""
    areas = [
        (one, float((hot * _inside(one, hot.shape)).sum())) for one in connected_areas(hot > 0)
    ]
    largest = max(mass for _, mass in areas)
    for region, mass in areas:
        if mass < STRAY * largest:
            hot = np.where(_inside(region, hot.shape), 0.0, hot)
    y0, y1 = extent(hot.sum(1))
    x0, x1 = extent(hot.sum(0))
    return Region(x0=x0, y0=y0, x1=x1, y1=y1)
