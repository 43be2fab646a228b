"""Level the light of dark pictures: models were trained on well-lit ones."""

from __future__ import annotations

import numpy as np
from PIL.Image import Image

DARK = 200
"""A picture whose brightest pixels (WHITE_SHARE of them) stay below this value, of 255, is dark. Of
150 drawn looks none is: the lowest value is 218."""

WHITE = 235
"""Where levelling puts them: the median of drawn looks is 244."""

WHITE_SHARE = 0.01

SAMPLED = 512
"""Pixels read along the longer side; all of a large picture would hold up other looks."""

MOST = 3.0
"""Largest gain. Beyond it noise and compression dominate, and a scene may simply have no light
part."""


def level_light(image: Image) -> Image:
    """Brighten a dark RGB picture by one gain for all channels, so hues stay; others as they are.

    Only the gain changes: stretching from the darkest pixel, too, would turn dark grey black.
    """
    step = max(1, max(image.size) // SAMPLED)
    red, green, blue = np.moveaxis(np.asarray(image)[::step, ::step], 2, 0)
    brightest = np.maximum(np.maximum(red, green), blue)  # several times as fast as max(axis=2)
    white = float(np.quantile(brightest, 1 - WHITE_SHARE))
    if white >= DARK:
        return image
    gain = min(MOST, WHITE / max(white, 1.0))
    return image.point([min(255, round(value * gain)) for value in range(256)] * 3)
