"""Crops of layers cut out by their masks, on white like product photographs.

Their embeddings order a layer's products when no vision-language model can judge them
(operators.matching.rerank.by_segment).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from PIL import Image

from operators.matching.crops import square_around
from operators.ports import ImageTextEncoder, QuerySegmenter, Segment, Vector
from schemas.attributes import Department

WHITE = (255, 255, 255)


async def segment_vectors(
    image: Image.Image,
    queries: Mapping[Department, str],
    segmenter: QuerySegmenter,
    encoder: ImageTextEncoder,
) -> dict[Department, Vector]:
    """The crop's embedding for each layer that the segmenter finds."""
    segments = await segmenter.segment(image, queries)
    vectors = await asyncio.gather(
        *(encoder.encode_image(masked_crop(image, segment)) for segment in segments.values())
    )
    return dict(zip(segments, vectors, strict=True))


def masked_crop(image: Image.Image, segment: Segment) -> Image.Image:
    """The square crop around the segment, white outside the mask."""
    square = square_around(segment.region, image.width, image.height)
    side = max(1, math.ceil(square.side))
    background = Image.new("RGB", (side, side), WHITE)
    corner = (-math.floor(square.x), -math.floor(square.y))
    background.paste(image.convert("RGB"), corner, Image.fromarray(segment.mask))
    return background
