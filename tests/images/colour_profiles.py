"""ICC profiles (version 2) written byte by byte: red, green and blue, grey, and CMYK by a table."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

D50 = (0.9642, 1.0, 0.8249)
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """An RGB colour space: its primaries in XYZ relative to D50, a column each, and its gamma."""

    primaries: Matrix
    gamma: float

    def numbers_of(self, xyz: Matrix) -> tuple[int, ...]:
        """The 8-bit numbers that mean ``xyz`` in this space."""
        linear = np.clip(np.linalg.solve(self.primaries, xyz), 0, 1)
        return tuple(int(level) for level in np.rint(255 * linear ** (1 / self.gamma)))


# Values of the profiles that Adobe, Apple and Kodak publish.
ADOBE_RGB = Space(
    np.array(
        [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
    ),
    2.19921875,
)
DISPLAY_P3 = Space(
    np.array(
        [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
    ),
    2.2,
)
PROPHOTO = Space(
    np.array([[0.79767, 0.13519, 0.03134], [0.28804, 0.71188, 0.00009], [0.0, 0.0, 0.82491]]), 1.8
)
SRGB_PRIMARIES = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def srgb_to_xyz(colour: tuple[int, int, int]) -> Matrix:
    level = np.array(colour) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return np.asarray(SRGB_PRIMARIES @ linear)


def rgb_profile(space: Space) -> bytes:
    tags = {b"wtpt": _xyz(D50)}
    for number, letter in enumerate((b"r", b"g", b"b")):
        tags[letter + b"XYZ"] = _xyz(tuple(space.primaries[:, number]))
        tags[letter + b"TRC"] = _gamma(space.gamma)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def srgb_profile() -> bytes:
    """sRGB's own curve in 1,024 points."""
    level = np.linspace(0, 1, 1024)
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    points = np.rint(65535 * linear).astype(">u2").tobytes()
    curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + points
    tags = {b"wtpt": _xyz(D50)}
    for number, letter in enumerate((b"r", b"g", b"b")):
        tags[letter + b"XYZ"] = _xyz(tuple(SRGB_PRIMARIES[:, number]))
        tags[letter + b"TRC"] = curve
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(D50), b"kTRC": _gamma(gamma)})


def cmyk_profile(lab: dict[tuple[int, ...], tuple[float, float, float]]) -> bytes:
    """Inks at 0 or 1 -> Lab, of each corner; colours between are interpolated."""
    steps = struct.pack(">8H", *(0, 65535) * 4)
    table = b"".join(
        struct.pack(
            ">HHH",
            round(lab[corner][0] * 65280 / 100),
            round((lab[corner][1] + 128) * 256),
            round((lab[corner][2] + 128) * 256),
        )
        for corner in itertools.product((0, 1), repeat=4)
    )
    identity = np.eye(3).reshape(-1)
    lut = (
        b"mft2"
        + bytes(4)
        + bytes([4, 3, 2, 0])
        + b"".join(_fixed(value) for value in identity)
        + struct.pack(">HH", 2, 2)
        + steps
        + table
        + struct.pack(">HHHHHH", 0, 65535, 0, 65535, 0, 65535)
    )
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(D50), b"A2B0": lut, b"A2B1": lut})


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"t\0" + bytes(78), **tags}
    at = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(data), len(content))
        data += padded
    header = (
        struct.pack(">I4sI", at + len(data), b"test", 0x02400000)
        + kind
        + space
        + connection
        + struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
        + b"acsp"
        + bytes(28)
        + b"".join(_fixed(value) for value in D50)
    )
    return header.ljust(128, b"\0") + table + data


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(value) for value in values)


def _gamma(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
