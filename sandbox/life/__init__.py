"""A simulated fashion market: the packets of three vendors over a month, and looks to match.

`draw_world` draws a world, `open_world` opens a drawn one; in a `Market` it goes on. Only the
evaluation and the market read the truth.
"""

from sandbox.life.feed_files import write_feed_files
from sandbox.life.market import Happening, Market
from sandbox.life.pictures import Progress
from sandbox.life.truth import (
    GarmentTruth,
    LayerTruth,
    LookTruth,
    PacketTruth,
    ProductTruth,
    Truth,
    admissible,
    is_true,
)
from sandbox.life.world import World, draw_world, open_world

__all__ = [
    "GarmentTruth",
    "Happening",
    "LayerTruth",
    "LookTruth",
    "Market",
    "PacketTruth",
    "ProductTruth",
    "Progress",
    "Truth",
    "World",
    "admissible",
    "draw_world",
    "is_true",
    "open_world",
    "write_feed_files",
]
