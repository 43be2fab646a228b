"""Shapes of headwear, eyewear, bags and footwear."""

import math
from collections.abc import Callable

from sandbox.world.garments import Garment
from sandbox.world.geometry import Path, dome, ellipse
from sandbox.world.shapes import Pose, Shape, Tone

_OnFoot = Callable[[Path], Path]
"""Convert coordinates around an ankle at x = 0 to those of one foot."""

_LENS = (46, 46, 56)
_GLARE = (150, 152, 170)
_BRASS = (235, 190, 60)
_WHITE_SOLE, _GREY_SOLE = (250, 250, 250), (150, 150, 150)


def headwear(garment: Garment, pose: Pose) -> Shape:
    """Caps, beanies and sun hats."""
    shape = Shape()
    if garment.type == "cap":
        shape.part(dome(0, 19, 19, 18), 0)
        shape.part([(-19, 17), (17, 17), (32, 22), (31, 26.5), (12, 23.5), (-19, 22)], 2.5)
        shape.line([(-19, 17.5), (17, 17.5)], "dark", 1.7)
        shape.line([(0, 1), (1, 17)], "dark", 1.1)
        shape.line([(-9, 4), (-12, 17)], "dark", 0.9)
        shape.line([(10, 4), (12, 17)], "dark", 0.9)
        shape.area(ellipse(0, 1.2, 2.4, 1.9, steps=10), "dark")
        shape.fold([(-14, 10), (-15, 16)])
    elif garment.type == "beanie":
        shape.part(dome(0, 19, 20, 20), 0)
        shape.part([(-21, 13), (21, 13), (21.5, 22), (-21.5, 22)], 2.0)
        shape.part(ellipse(0, -2, 6, 5.6), 0)
        shape.line([(-21, 13.5), (21, 13.5)], "dark", 1.6)
        for x in range(-18, 20, 4):
            shape.line([(x, 14), (x * 1.02, 22)], "dark", 1.0)
        shape.fold([(-8, 3), (-10, 12)])
        shape.fold([(7, 4), (9, 12)])
    else:
        shape.part(dome(0, 15, 16.5, 16), 0)
        shape.part(ellipse(0, 17, 37, 6.8), 0)
        band: Tone = "second" if garment.second_colour else "dark"
        shape.line([(-16.4, 13), (0, 14.6), (16.4, 13)], band, 3.8)
        shape.fold([(-28, 17), (-12, 20.5)])
        shape.fold([(14, 20.5), (29, 17)])
    return shape


def eyewear(garment: Garment, pose: Pose) -> Shape:
    """Sunglasses and glasses."""
    shape = Shape()
    if garment.type == "sunglasses":
        frame: Path = [(1.0, 20), (17.5, 19), (18, 28), (12.5, 34.5), (5, 34.5), (1.0, 29)]
        lens: Path = [(3.4, 22.6), (15.2, 21.8), (15.2, 27.6), (11.4, 31.9), (6, 31.9), (3.4, 28)]
        shape.part(frame, 2.0, both=True)
        shape.area(lens, _LENS, both=True)
        for side in (-9.0, 9.0):
            shape.line([(side - 3, 24.5), (side, 29.5)], _GLARE, 1.4)
    else:
        shape.part(ellipse(9.4, 26.5, 9.2, 8.6), 0, both=True)
        shape.hole(ellipse(9.4, 26.5, 6.0, 5.5), both=True)
    shape.part([(-3, 22.6), (3, 22.6), (3, 26), (-3, 26)], 0)
    shape.part([(15, 20.4), (21, 19.6), (21, 23.2), (15, 25)], 0, both=True)
    return shape


def bag(garment: Garment, pose: Pose) -> Shape:
    """A bag hanging from the right hand."""
    shape = Shape()
    x, y = pose.right_arm[2]
    x += 2
    if garment.type == "handbag":
        shape.line(ellipse(x, y + 12, 10, 13, (math.pi, math.tau)), "strap", 2.8)
        shape.part([(x - 14, y + 12), (x + 14, y + 12), (x + 18, y + 36), (x - 18, y + 36)], 3.5)
        shape.line([(x - 14.5, y + 18), (x, y + 21), (x + 14.5, y + 18)], "dark", 1.7)
        shape.area(ellipse(x, y + 20, 2.7, 2.7, steps=10), _BRASS)
    elif garment.type == "tote bag":
        shape.line([(x - 8, y + 22), (x - 6, y - 1), (x + 6, y - 1), (x + 8, y + 22)], "strap", 2.6)
        shape.part([(x - 15, y + 20), (x + 15, y + 20), (x + 15, y + 56), (x - 15, y + 56)], 1.5)
        shape.line([(x - 15, y + 23.5), (x + 15, y + 23.5)], "dark", 1.1)
        shape.fold([(x - 9, y + 28), (x - 7, y + 50)])
        shape.fold([(x + 7, y + 30), (x + 9, y + 52)])
    else:
        shape.line(ellipse(x, y + 2, 5, 6, (math.pi, math.tau)), "strap", 2.6)
        shape.line([(x - 15, y + 18), (x - 22, y + 28), (x - 19, y + 42)], "strap", 3.4)
        shape.line([(x + 15, y + 18), (x + 22, y + 28), (x + 19, y + 42)], "strap", 3.4)
        lower: Path = [(x + 17, y + 42), (x + 13, y + 46), (x - 13, y + 46), (x - 17, y + 42)]
        shape.part(dome(x, y + 18, 16, 17) + lower, 0)
        pocket: Path = [(x - 11, y + 29), (x + 11, y + 29), (x + 11, y + 42), (x - 11, y + 42)]
        shape.line([*pocket, pocket[0]], "dark", 1.8)
        shape.line([(x - 13, y + 14), (x + 13, y + 14)], "dark", 1.9)
        shape.area(
            [(x - 1.2, y + 29), (x + 1.2, y + 29), (x + 1.2, y + 34), (x - 1.2, y + 34)], _BRASS
        )
    return shape


def footwear(garment: Garment, pose: Pose) -> Shape:
    """A pair of shoes, one at each ankle."""
    shape = Shape()
    for side, leg in zip((1.0, -1.0), pose.legs, strict=True):
        x = side * leg[2][0] + 1

        def on_foot(path: Path, side: float = side, x: float = x) -> Path:
            return [(side * (x + dx), y) for dx, y in path]

        _SHOES[garment.type](shape, garment, on_foot)
    return shape


def _sneaker(shape: Shape, garment: Garment, on_foot: _OnFoot) -> None:
    shape.part(on_foot([(-9, 178), (5, 177), (8, 183), (15, 188), (16, 194.5), (-10, 194.5)]), 3.0)
    sole = _WHITE_SOLE if garment.colour != "white" else _GREY_SOLE
    shape.area(on_foot([(-11, 193), (16.5, 193), (16.5, 198), (-11, 198)]), sole)
    shape.line(on_foot([(-1, 181.5), (6, 180)]), "button", 1.6)
    shape.line(on_foot([(1, 185), (9, 183.5)]), "button", 1.6)
    shape.line(on_foot([(-6, 189), (2, 188), (8, 190.5)]), "button", 1.8)


def _boot(shape: Shape, garment: Garment, on_foot: _OnFoot) -> None:
    boot: Path = [(-10, 154), (9, 154), (8, 182), (15.5, 189), (16, 197), (-10, 197)]
    shape.part(on_foot(boot), 3.0)
    shape.line(on_foot([(-10, 159), (9, 159)]), "dark", 2.0)
    shape.area(on_foot([(-11, 194), (16.5, 194), (16.5, 198), (-11, 198)]), "dark")
    shape.fold(on_foot([(-7, 180), (4, 183)]))
    shape.fold(on_foot([(-6, 168), (3, 171)]))


def _heel(shape: Shape, garment: Garment, on_foot: _OnFoot) -> None:
    upper: Path = [(-9, 182), (-3, 187), (8, 185.5), (18, 197), (5, 197.5), (-4, 193), (-9, 193)]
    shape.part(on_foot(upper), 1.5)
    shape.part(on_foot([(-9, 182), (-4, 188), (-6, 199), (-8.5, 199)]), 0)


def _sandal(shape: Shape, garment: Garment, on_foot: _OnFoot) -> None:
    shape.part(on_foot([(-10, 193), (16, 193), (16, 198), (-10, 198)]), 1.5)
    shape.part(on_foot([(-8, 179), (6, 177.5), (7, 182), (-8, 183.5)]), 0)
    shape.part(on_foot([(1, 194), (7, 185), (13, 187.5), (10, 194)]), 0)
    shape.part(on_foot([(-10, 182), (-6, 182), (-6, 194), (-10, 194)]), 0)


_SHOES = {"sneakers": _sneaker, "boots": _boot, "heels": _heel, "sandals": _sandal}
