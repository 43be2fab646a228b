"""The sandbox CLIP still gives the vectors it gave when its weights were committed.

tests/data/encoder/sandbox-clip.json holds what open_clip computed in float32 on x86; other
machines and batch sizes differ by rounding. New weights need new vectors: once they have been
evaluated, take the values that the failing test prints.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from operators.models.load_encoder import load_encoder
from schemas.settings import EncoderSettings

CANONICAL = json.loads((Path(__file__).parents[1] / "data/encoder/sandbox-clip.json").read_text())
TOLERANCE = 1e-4


def stripes() -> Image.Image:
    """Red stripes 8 pixels wide over green that increases downwards, 120 x 160."""
    y, x = np.mgrid[0:160, 0:120]
    channels = [(x // 8 % 2) * 255, (y * 255) // 159, np.full_like(x, 96)]
    return Image.fromarray(np.stack(channels, -1).astype(np.uint8))


async def test_the_sandbox_clip_gives_its_canonical_vectors() -> None:
    encoder = load_encoder(EncoderSettings(model="sandbox-clip", device="cpu", threads=1))
    texts = CANONICAL["texts"]
    found = {text: await encoder.encode_text(text) for text in texts}
    found |= {
        "image": await encoder.encode_image(stripes()),
        "patch": (await encoder.encode_patches(stripes()))[3, 2],
    }
    expected = texts | {"image": CANONICAL["image"], "patch": CANONICAL["patch"]}
    for name, vector in found.items():
        np.testing.assert_allclose(vector, expected[name], atol=TOLERANCE, err_msg=name)
    await encoder.close()
