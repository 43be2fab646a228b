"""Layer detection by the encoder's patch tokens, compared with embedding quarters of each window.

    python -m benchmarks.regions [--model MODEL] [--looks LOOKS]

Both variants use the same segmenter; the second splits each window in 2 x 2 and embeds the quarters
as pictures. The presence model is fitted on looks of one seed and evaluated on looks of another,
whose true boxes are known.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.matching.calibration import Calibration
from operators.matching.patch_segmenter import PatchSegmenter
from operators.models.load_encoder import load_encoder
from operators.ports import ImageTextEncoder, Located, Vector
from sandbox.training.calibrate import PATCH_SCALE
from sandbox.training.layer_fit import draw_looks, fit_layers
from sandbox.world import DEPARTMENTS, Box, DrawnLook
from schemas.attributes import Department
from schemas.looks import Region
from schemas.settings import EncoderSettings

SPLIT = 2


class QuarterEncoder:
    """Embeds each quarter of a window as a picture, in place of patch tokens."""

    def __init__(self, encoder: ImageTextEncoder) -> None:
        self._encoder = encoder
        self.fingerprint = encoder.fingerprint
        self.dimension = encoder.dimension
        self.reads_text = encoder.reads_text
        self.finds_layers = encoder.finds_layers

    async def encode_image(self, image: Image) -> Vector:
        return await self._encoder.encode_image(image)

    async def encode_text(self, text: str) -> Vector:
        return await self._encoder.encode_text(text)

    async def encode_patches(self, image: Image) -> NDArray[np.float32]:
        width, height = image.width / SPLIT, image.height / SPLIT
        quarters = [
            image.crop(
                (int(x * width), int(y * height), int((x + 1) * width), int((y + 1) * height))
            )
            for y in range(SPLIT)
            for x in range(SPLIT)
        ]
        vectors = await asyncio.gather(*map(self._encoder.encode_image, quarters))
        return np.stack(vectors).reshape(SPLIT, SPLIT, -1)


def overlap(found: Region, true: Box, size: tuple[int, int]) -> float:
    """Intersection over union; ``true`` in pixels of a picture of ``size``."""
    x0, y0, x1, y1 = (edge / side for edge, side in zip(true, size * 2, strict=True))
    width = max(0.0, min(found.x1, x1) - max(found.x0, x0))
    height = max(0.0, min(found.y1, y1) - max(found.y0, y0))
    areas = (found.x1 - found.x0) * (found.y1 - found.y0) + (x1 - x0) * (y1 - y0)
    return width * height / (areas - width * height)


async def measure(
    name: str, encoder: ImageTextEncoder, fitted: Sequence[DrawnLook], tested: Sequence[DrawnLook]
) -> None:
    departments = tuple(Department(department) for department in DEPARTMENTS)
    blank = Calibration(departments=departments, patch_scale=PATCH_SCALE)
    calibration = await fit_layers(encoder, blank, fitted)
    segmenter = PatchSegmenter(encoder, departments, calibration)
    start = time.perf_counter()
    located = [await segmenter.locate(look.picture, departments) for look in tested]
    milliseconds = (time.perf_counter() - start) / len(tested) * 1000
    print(f"{name}: {milliseconds:.0f} ms per look")
    print("department    worn  precision  recall   IoU")
    for department in departments:
        print(row(department, [department], located, tested))
    print(row("all", departments, located, tested))


def row(
    title: str,
    departments: Sequence[Department],
    located: Sequence[Mapping[Department, Located]],
    tested: Sequence[DrawnLook],
) -> str:
    hits = reported = worn = 0
    overlaps = []
    for found, look in zip(located, tested, strict=True):
        for department in departments:
            place, true = found.get(department), look.boxes.get(department.value)
            there = place is not None and place.confidence >= 0.5
            reported += there
            worn += true is not None
            if place is not None and there and true is not None:
                hits += 1
                overlaps.append(overlap(place.region, true, look.picture.size))
    return (
        f"{title:12s} {worn:5d} {hits / max(reported, 1):10.3f} "
        f"{hits / max(worn, 1):7.3f} {np.mean(overlaps or [0]):5.2f}"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=EncoderSettings().model)
    parser.add_argument("--looks", type=int, default=100)
    arguments = parser.parse_args()
    encoder = load_encoder(EncoderSettings(model=arguments.model))
    fitted, tested = draw_looks(101, arguments.looks), draw_looks(2001, arguments.looks)
    await measure("patch tokens", encoder, fitted, tested)
    await measure("quarters", QuarterEncoder(encoder), fitted, tested)
    await encoder.close()


if __name__ == "__main__":
    asyncio.run(main())
