"""Which drawing each department of accessories and shoes has; body units around (0, 0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sandbox.second_world.bags import bag
from sandbox.second_world.canvas import Panel
from sandbox.second_world.headwear import eyewear, headwear
from sandbox.second_world.jewellery import jewellery, watch
from sandbox.second_world.scarves_and_belts import belt, scarf
from sandbox.second_world.shoes import shoe
from sandbox.second_world.styles import Style

DRAWN: Mapping[str, Callable[[Style], list[Panel]]] = {
    "bag": bag,
    "headwear": headwear,
    "eyewear": eyewear,
    "jewellery": jewellery,
    "watch": watch,
    "scarf": scarf,
    "belt": belt,
    "footwear": shoe,
}
"""Department -> its drawing."""
