"""Layers as pictures of their own: cut out by their masks, on white as products are photographed.

The order of a layer's products without a model that judges them: segment by the query, embed the
segment, and operators.matching.rerank.by_similarity with its vector.
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
    """The embedding of each layer that the segmenter finds."""
    segments = await segmenter.segment(image, queries)
    vectors = await asyncio.gather(
        *(encoder.encode_image(masked_crop(image, segment)) for segment in segments.values())
    )
    return dict(zip(segments, vectors, strict=True))


def masked_crop(image: Image.Image, segment: Segment) -> Image.Image:
    """The square around the segment, white where the layer is not; the layer is all of it."""
    square = square_around(segment.region, image.width, image.height)
    side = max(1, math.ceil(square.side))
    ground = Image.new("RGB", (side, side), WHITE)
    corner = (-math.floor(square.x), -math.floor(square.y))
    ground.paste(image.convert("RGB"), corner, Image.fromarray(segment.mask))
    return ground
