"""Shapes of tops and outerwear."""

import math

from sandbox.world.garments import Garment
from sandbox.world.geometry import ellipse, limb, symmetric
from sandbox.world.shapes import Pose, Shape

_SLEEVE_ENDS = {"short sleeve": 0.42, "long sleeve": 0.92}
# Half widths of a sleeve at shoulder and end, in body units.
_SLEEVE_WIDTHS = {
    "t-shirt": (8.5, 9.5),
    "shirt": (8.5, 7.5),
    "sweater": (10.0, 9.0),
    "blouse": (8.5, 13.0),
    "coat": (11.0, 10.5),
    "jacket": (11.0, 9.5),
    "blazer": (9.5, 8.0),
}
_HEMS = {"t-shirt": 100.0, "shirt": 107.0, "sweater": 104.0, "blouse": 96.0, "tank top": 99.0}
_HEM_WIDTHS = {"t-shirt": 22.0, "shirt": 22.5, "sweater": 25.0, "blouse": 27.0, "tank top": 20.5}
_STEEL = (222, 224, 228)


def sleeves(shape: Shape, garment: Garment, pose: Pose) -> None:
    """Both sleeves, with the cuffs of the type."""
    always_long = garment.department == "outerwear" or garment.type == "sweater"
    end = 0.93 if always_long else _SLEEVE_ENDS.get(garment.sleeve or "", 0.0)
    if not end:
        return
    width, end_width = _SLEEVE_WIDTHS.get(garment.type, (8.5, 8.0))
    if garment.type == "t-shirt" and end > 0.5:
        end_width = 7.5
    for arm in pose.arms:
        shape.part(limb(arm, width, end_width, 0.0, end), 2.0)
        (ax, ay), (ex, ey) = arm[0], arm[1]
        shape.fold([(ax * 0.86, ay + 8), (ax * 0.92 + ex * 0.06, ay + 17)])
        if end > 0.5:
            shape.fold([(ex * 0.94, ey - 4), (ex * 1.04, ey + 2), (ex * 0.98, ey + 6)])
        if garment.type in ("shirt", "jacket", "sweater", "shirt dress"):
            start = end - (0.09 if end > 0.5 else 0.07)
            shape.line(limb(arm, end_width, end_width, start, start + 0.012), "dark", 1.3)
        if garment.type == "blouse":
            shape.line(
                limb(arm, end_width - 2, end_width - 1, end - 0.1, end - 0.085), "light", 1.4
            )


def top(garment: Garment, pose: Pose) -> Shape:
    """T-shirts, shirts, sweaters, blouses and tank tops."""
    shape = Shape()
    sleeves(shape, garment, pose)
    hem, half = _HEMS[garment.type], _HEM_WIDTHS[garment.type]
    if garment.type == "tank top":
        straps = [(11, 49), (16, 49), (17, 64), (21, 73), (19.5, 88), (half, hem)]
        shape.part(symmetric([(float(x), float(y)) for x, y in straps]))
        shape.hole(ellipse(0, 50, 10.5, 17))
        shape.line(ellipse(0, 50, 12, 18.5, (0.08, math.pi - 0.08)), "light", 1.8)
        shape.line([(-half, hem - 2.5), (half, hem - 2.5)], "dark", 1.1)
    else:
        shape.part(symmetric([(7, 49), (22, 52), (27, 58), (22, 78), (20.5, 90), (half, hem)]))
        _DETAILS[garment.type](shape, garment, hem, half)
    shape.fold([(14, 92), (17, 82), (20, 77)], both=True)
    shape.fold([(-6, 84), (-3, hem - 4)])
    shape.fold([(8, 88), (9, hem - 3)])
    return shape


def _crew_or_v(shape: Shape, garment: Garment) -> None:
    if garment.neckline == "v-neck":
        shape.hole([(-9.5, 46), (9.5, 46), (0, 68)])
    else:
        shape.hole(ellipse(0, 48, 9, 7))


def _t_shirt(shape: Shape, garment: Garment, hem: float, half: float) -> None:
    _crew_or_v(shape, garment)
    if garment.neckline == "v-neck":
        shape.line([(-10.5, 47), (0, 70), (10.5, 47)], "light", 1.6)
    else:
        shape.line(ellipse(0, 48, 10.3, 8.3, (0, math.pi)), "light", 1.6)
    shape.line([(-half, hem - 2.6), (half, hem - 2.6)], "dark", 0.9)


def _sweater(shape: Shape, garment: Garment, hem: float, half: float) -> None:
    _crew_or_v(shape, garment)
    for x in range(-23, 24, 4):
        shape.line([(x, hem - 8), (x, hem)], "dark", 1.1)
    shape.line([(-half, hem - 8), (half, hem - 8)], "dark", 1.6)
    if garment.neckline == "v-neck":
        shape.line([(-11, 47), (0, 71), (11, 47)], "dark", 2.4)
    else:
        shape.line(ellipse(0, 48, 11.5, 9.5, (0, math.pi)), "dark", 2.6)
    shape.fold([(-12, 70), (-11, 92)])
    shape.fold([(12, 70), (11, 92)])


def collar_and_buttons(shape: Shape, hem: float, spacing: float) -> None:
    """The front of shirts and shirt dresses: collar, placket, buttons."""
    shape.hole([(-6, 46), (6, 46), (0, 56)])
    shape.area([(-3, 57), (3, 57), (3, hem), (-3, hem)], "light")
    shape.line([(-3, 57), (-3, hem)], "dark", 0.9)
    shape.line([(3, 57), (3, hem)], "dark", 0.9)
    shape.area([(0, 57), (11, 47), (13.5, 57), (6, 63)], "light", both=True)
    shape.line([(0, 57), (6, 63), (13.5, 57), (11, 47)], "dark", 1.0, both=True)
    y = 65.0
    while y < hem - 2:
        shape.area(ellipse(0, y, 1.6, 1.6, steps=8), "button")
        y += spacing


def _shirt(shape: Shape, garment: Garment, hem: float, half: float) -> None:
    collar_and_buttons(shape, hem - 1, 9)
    shape.hole(
        [(half + 2, hem + 1), (half + 2, hem - 8), (half - 3, hem - 3), (half - 9, hem + 1)], True
    )
    shape.line([(7, 72), (16, 72), (16, 81), (11.5, 83), (7, 81), (7, 72)], "dark", 1.1)


def _blouse(shape: Shape, garment: Garment, hem: float, half: float) -> None:
    shape.hole([(-8, 46), (8, 46), (0, 60)])
    shape.area([(0, 60), (-11, 53), (-12, 62), (-9, 67)], "light")
    shape.area([(0, 60), (11, 53), (12, 62), (9, 67)], "light")
    shape.line([(0, 60), (-11, 53), (-9, 67), (0, 60)], "dark", 1.0, both=True)
    shape.line([(0, 61), (-5, 77)], "light", 2.4)
    shape.line([(0, 61), (5, 76)], "light", 2.4)
    shape.area(ellipse(0, 60.5, 2.6, 2.4, steps=10), "dark")
    shape.line([(-20.5, 87), (0, 89), (20.5, 87)], "dark", 1.4)
    for x in (-16, -8, 0, 8, 16):
        shape.line([(x, 89), (x * 1.25, hem)], "dark", 0.9)


_DETAILS = {"t-shirt": _t_shirt, "shirt": _shirt, "sweater": _sweater, "blouse": _blouse}


def outerwear(garment: Garment, pose: Pose) -> Shape:
    """Outerwear, open at the front so that the layer below is visible."""
    shape = Shape()
    sleeves(shape, garment, pose)
    if garment.type == "coat":
        hem, opening = (140.0 if garment.length == "knee length" else 168.0), 13.0
    else:
        hem, opening = (98.0, 13.0) if garment.type == "jacket" else (113.0, 12.0)
    half = 25 + (hem - 100) * 0.08
    shape.lining.append(symmetric([(6.0, 50.0), (opening + 4, 54), (opening + 4, hem - 3)]))
    inner = [(opening + 1, hem), (opening - 1, 80), (opening, 66)]
    shape.part(
        [(10, 48), (23, 51), (29, 58), (25, 80), (24, 92), (half, hem), *inner], 2.5, both=True
    )
    shape.fold([(17, 90), (18.5, hem - 6)], both=True)
    shape.fold([(20, 66), (23, 78)], both=True)
    if garment.type == "blazer":
        lapel = [(10.0, 48.0), (17.5, 59.0), (15, 66), (20, 69), (10, 88), (8, 66)]
        shape.area(lapel, "light", both=True)
        shape.line(lapel[:5], "dark", 1.2, both=True)
        shape.line([(14, 98), (23, 97)], "dark", 2.0, both=True)
        shape.area(ellipse(opening + 2.5, 93, 1.9, 1.9, steps=8), "button")
        shape.area([(16, 72), (22, 70.5), (22, 73), (16, 74.5)], (240, 240, 238))
    elif garment.type == "jacket":
        shape.area(
            [(opening - 1, hem - 7), (half, hem - 7), (half, hem), (opening, hem)], "dark", True
        )
        shape.line([(opening, 58), (opening, hem)], _STEEL, 2.0, both=True)
        shape.line([(16, 80), (22, 88)], "dark", 2.2, both=True)
        shape.area([(7, 46), (14, 45), (17, 56), (11, 61)], "dark", both=True)
    else:
        shape.area([(9, 47), (20, 54), (22, 65), (11, 79), (8, 62)], "light", both=True)
        shape.line([(20, 54), (22, 65), (11, 79)], "dark", 1.3, both=True)
        shape.line([(opening, 94), (25, 94)], "dark", 4.2, both=True)
        shape.line([(15.5, 106), (23.5, 110)], "dark", 2.0, both=True)
        shape.line([(opening + 1, 97), (opening + 1, hem)], "dark", 0.9, both=True)
        for y in (85.0, 103.0, 119.0, 135.0):
            if y < hem - 4:
                shape.area(ellipse(opening + 5, y, 2, 2, steps=8), "button", both=True)
        shape.fold([(19, 104), (21, hem - 4)], both=True)
    return shape
