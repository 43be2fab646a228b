"""A second drawn world, by another hand: training never sees it, so that it can say how the
sandbox's models do on pictures unlike their own. It shares the taxonomy's words with the first
world, and no line of drawing code.
"""

from sandbox.second_world.catalogue import FAMILY, WRONG_SHARE, Product
from sandbox.second_world.dressing import Box, DrawnLook
from sandbox.second_world.outfits import EXCLUDED_SHARE, PlannedLook
from sandbox.second_world.styles import KINDS, Style
from sandbox.second_world.world import SecondWorld, second_world

__all__ = [
    "EXCLUDED_SHARE",
    "FAMILY",
    "KINDS",
    "WRONG_SHARE",
    "Box",
    "DrawnLook",
    "PlannedLook",
    "Product",
    "SecondWorld",
    "Style",
    "second_world",
]
