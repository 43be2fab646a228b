"""Pictures in sRGB, whatever colour space their file is in.

Encoders are trained on sRGB. A photograph in Adobe RGB, Display P3 or ProPhoto whose numbers are
taken for sRGB looks paler, one for print (CMYK) entirely different: a red would not stay that red.
"""

from __future__ import annotations

import io
from functools import lru_cache
from itertools import product

from PIL import Image, ImageChops, ImageCms

_MAX_PROFILE_BYTES = 4 * 2**20
"""Profiles of printing presses have up to about 2.5 MB; matrix profiles 500 bytes."""

_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Colour space as an ICC profile calls it -> Pillow's mode."""

_SAME = 2
"""Levels out of 255. A profile that moves no colour further counts as sRGB."""


def without_palette(image: Image.Image) -> Image.Image:
    """``image`` in a mode that can be scaled and that profiles are about: RGB, RGBA, L or CMYK."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode.startswith("I"):
        # Pillow clips when it converts 16-bit greys; their upper byte is the picture.
        sixteen = image if image.mode == "I;16" else image.convert("I").convert("I;16")
        return Image.frombytes("L", image.size, sixteen.tobytes()[1::2])
    if image.mode in ("L", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """``image``, as :func:`without_palette` returns it, in sRGB: mode RGB, or RGBA as before.

    ``profile``: the ICC profile that came with it. Without one, or with one that cannot be used,
    RGB is taken as sRGB, as browsers do.
    """
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image
    if isinstance(profile, bytes) and len(profile) <= _MAX_PROFILE_BYTES:
        colours = _converted(image, profile)
    colours = colours.convert("RGB")
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    found = _transform(profile)
    if found is None:
        return image
    mode, transform = found
    if mode == "CMYK" or image.mode == "CMYK":
        if image.mode != mode:
            return image
        plain = image
    else:
        # A grey picture with an RGB profile, or one with transparency and a grey profile.
        plain = image.convert("RGB").convert(mode)
    return ImageCms.applyTransform(plain, transform) or image


@lru_cache(maxsize=16)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """Its mode and the transform to sRGB; None when no transform is needed or possible."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _SPACES.get(source.profile.xcolor_space.strip())
        if mode is None:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if mode == "RGB" and _keeps_colours(transform) else (mode, transform)


def _keeps_colours(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether RGB stays as it is: such pictures keep their pixels, and so their hash."""
    levels = (0, 32, 64, 96, 128, 160, 192, 224, 255)
    colours = bytes(level for colour in product(levels, repeat=3) for level in colour)
    grid = Image.frombytes("RGB", (27, 27), colours)
    converted = ImageCms.applyTransform(grid, transform)
    if converted is None:
        return False
    difference = ImageChops.difference(converted, grid)
    return max(difference.tobytes()) <= _SAME
