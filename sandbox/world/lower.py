"""Shapes of dresses and bottoms."""

from sandbox.world.garments import Garment
from sandbox.world.geometry import Path, limb, symmetric
from sandbox.world.shapes import Pose, Shape
from sandbox.world.upper import collar_and_buttons, sleeves

_SKIRT_HEMS = {"mini": 122.0, "midi": 146.0, "long": 174.0}
_SUNDRESS_HEMS = {"mini": 124.0, "midi": 152.0}
_TROUSER_ENDS = {"jeans": 0.93, "trousers": 0.97, "shorts": 0.40}
_TROUSER_WIDTHS = {"jeans": (11.5, 8.5), "trousers": (12.5, 12.5), "shorts": (13.0, 14.0)}
_STITCHES = (232, 172, 84)
_BUCKLE = (228, 190, 84)


def bottom(garment: Garment, pose: Pose) -> Shape:
    """Jeans, trousers, shorts and skirts."""
    return _skirt(garment) if garment.type == "skirt" else _trousers(garment, pose)


def _trousers(garment: Garment, pose: Pose) -> Shape:
    shape = Shape()
    end, (width, end_width) = _TROUSER_ENDS[garment.type], _TROUSER_WIDTHS[garment.type]
    for side, leg in zip((1.0, -1.0), pose.legs, strict=True):
        shape.part(limb(leg, width, end_width, 0.0, end), 1.5)
        hip, knee, ankle = leg
        if garment.type == "jeans":
            seam: Path = [
                (hip[0] + side * 8, 108),
                (knee[0] + side * 7, 140),
                (ankle[0] + side * 5, 176),
            ]
            shape.line(seam, _STITCHES, 1.1)
            cuff: Path = [(ankle[0] - 9, 175), (ankle[0] + 9, 175)]
            shape.line(cuff, _STITCHES, 1.6)
            shape.line([(9 * side, 95), (12 * side, 102), (20 * side, 103)], _STITCHES, 1.5)
        elif garment.type == "trousers":
            shape.line([(hip[0], 104), (knee[0], 140), (ankle[0], 182)], "dark", 1.5)
            shape.line([(20 * side, 98), (17 * side, 108)], "dark", 1.4)
        else:
            shape.line([(2 * side, 127), (25 * side, 125)], "dark", 1.5)
            shape.line([(20 * side, 98), (16 * side, 108)], "dark", 1.4)
        if garment.type != "shorts":
            shape.fold([(knee[0] - 6 * side, 136), (knee[0] + 3 * side, 140)])
            shape.fold([(knee[0] + 6 * side, 146), (knee[0] - 2 * side, 150)])
            shape.fold([(ankle[0] - 5 * side, 172), (ankle[0] + 4 * side, 176)])
        shape.fold([(5 * side, 112), (13 * side, 118)])
    shape.part(symmetric([(20, 90), (23, 102), (13, 114), (1, 112)]), 2.0)
    shape.line([(-20.5, 95), (20.5, 95)], "dark", 1.6)
    shape.line([(0, 95), (0, 111)], "dark", 1.1)
    if garment.type == "trousers":
        shape.area([(-2.6, 90.5), (2.6, 90.5), (2.6, 94.5), (-2.6, 94.5)], _BUCKLE)
    return shape


def _skirt(garment: Garment) -> Shape:
    shape = Shape()
    hem = _SKIRT_HEMS[garment.length or "midi"]
    half = 23 + (hem - 90) * 0.17
    outline = [(19.0, 90.0), (23, 104), (half, hem - 3), (half * 0.5, hem), (0, hem + 0.5)]
    shape.part(symmetric(outline), 2.0)
    shape.line([(-19.5, 95), (19.5, 95)], "dark", 2.0)
    for k in (-0.62, -0.2, 0.22, 0.6):
        shape.line([(k * 22, 103), (k * half * 1.05, hem - 2)], "dark", 0.9)
        shape.fold([(k * 22 + 2, 104), (k * half * 1.05 + 3, hem - 4)])
    return shape


def dress(garment: Garment, pose: Pose) -> Shape:
    """Sundresses, shirt dresses and evening gowns."""
    shape = Shape()
    sleeves(shape, garment, pose)
    if garment.type == "sundress":
        _sundress(shape, garment)
    elif garment.type == "shirt dress":
        _shirt_dress(shape)
    else:
        _evening_gown(shape)
    return shape


def _sundress(shape: Shape, garment: Garment) -> None:
    hem = _SUNDRESS_HEMS[garment.length or "midi"]
    half = 31 + (hem - 120) * 0.3
    shape.part(symmetric([(17, 62), (19, 74), (17, 90), (half, hem - 4), (half * 0.5, hem)]), 2.0)
    shape.part([(9, 47), (13, 47), (16, 65), (11, 65)], 0, both=True)
    shape.hole([(-6, 60), (0, 66), (6, 60)])
    shape.line([(-17.5, 90), (0, 91.5), (17.5, 90)], "second", 3.4)
    for k in (-0.55, 0.0, 0.5):
        shape.line([(k * 20, 94), (k * half, hem - 3)], "dark", 0.9)
        shape.fold([(k * 20 + 3, 94), (k * half + 5, hem - 5)])
    shape.fold([(8, 72), (10, 84)], both=True)


def _shirt_dress(shape: Shape) -> None:
    outline = [(7, 49), (22, 52), (27, 58), (20, 80), (18, 92), (24, 108), (27, 138)]
    shape.part(symmetric([(float(x), float(y)) for x, y in outline]))
    collar_and_buttons(shape, 138, 10)
    shape.line([(-18.5, 92), (18.5, 92)], "dark", 4.4)
    shape.area([(-3, 89.5), (3, 89.5), (3, 94.5), (-3, 94.5)], _BUCKLE)
    shape.fold([(12, 98), (15, 134)], both=True)
    shape.fold([(13, 86), (18, 76)], both=True)


def _evening_gown(shape: Shape) -> None:
    outline = [(13, 50), (20, 53), (20, 76), (16, 90), (22, 108), (26, 150), (41, 183), (20, 187)]
    shape.part(symmetric([(float(x), float(y)) for x, y in outline]))
    shape.hole([(-10, 44), (10, 44), (8, 54), (0, 65), (-8, 54)])
    shape.line([(-16, 89), (0, 95), (16, 89)], "dark", 2.2)
    for start, knee, end in ((6, 14, 26), (-6, -11, -20), (0, 1, 3)):
        shape.line([(start, 96), (knee, 140), (end, 183)], "dark", 0.9)
        shape.fold([(start + 3, 98), (knee + 4, 140), (end + 6, 181)])
    shape.fold([(9, 70), (6, 86)], both=True)
