"""The sandbox's encoder says which pictures it was not trained for; others know any picture."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from operators.matching.familiarity import FILE_NAME, Familiarity
from operators.matching.light import level_light
from operators.matching.parts import MatchParts
from operators.models.encoder_table import encoder_source
from operators.models.load_encoder import load_encoder
from operators.ports import ImageTextEncoder
from sandbox.world import draw_look, draw_product, sample_garment, sample_outfit
from schemas.errors import Misconfigured
from schemas.settings import EncoderSettings
from tests.matching.example_looks import look, match

PHOTOGRAPHS = Path(__file__).parents[1] / "data/photographs"
SANDBOX = encoder_source("sandbox-clip")


@pytest.fixture
async def encoder() -> AsyncIterator[ImageTextEncoder]:
    encoder = load_encoder(EncoderSettings(model="sandbox-clip", device="cpu", threads=1))
    yield encoder
    await encoder.close()


@pytest.fixture
def sandbox() -> Familiarity:
    known = Familiarity.of_encoder(SANDBOX)
    assert known is not None
    return known


@pytest.mark.parametrize("name", ["astronaut", "coffee", "grace_hopper"])
async def test_a_photograph_is_unfamiliar(
    name: str, sandbox: Familiarity, encoder: ImageTextEncoder
) -> None:
    with Image.open(PHOTOGRAPHS / f"{name}.jpg") as opened:
        assert not await sandbox.knows(opened.convert("RGB"), encoder)


@pytest.mark.parametrize("seed", range(3))
async def test_drawn_looks_and_products_are_familiar_in_any_size_and_light(
    seed: int, sandbox: Familiarity, encoder: ImageTextEncoder
) -> None:
    rng = random.Random(seed)
    picture = draw_look(sample_outfit(rng), rng).picture
    dark = level_light(picture.point([round(value * 0.6) for value in range(256)] * 3))
    small = picture.resize((picture.width // 2, picture.height // 2))
    for one in (picture, dark, small, draw_product(sample_garment(rng), rng)):
        assert await sandbox.knows(one, encoder)


async def test_an_unfamiliar_picture_is_matched_and_reported(parts: MatchParts) -> None:
    shape = np.zeros(parts.encoder.dimension, np.float32)
    all_unknown = Familiarity(shape, np.diag(shape), -1.0)
    event = await match(look(), replace(parts, familiarity=all_unknown))
    assert "encoder:unfamiliar-picture" in event.degraded
    assert event.layers == (await match(look(), parts)).layers


async def test_a_familiar_picture_is_no_degradation(parts: MatchParts) -> None:
    shape = np.zeros(parts.encoder.dimension, np.float32)
    all_known = Familiarity(shape, np.diag(shape), 1.0)
    assert (await match(look(), replace(parts, familiarity=all_known))).degraded == ()


def test_the_distance_grows_with_standard_deviations() -> None:
    chance = np.random.default_rng(1)
    fitted = Familiarity.fit(chance.normal(0, (1, 5), (20_000, 2)).astype(np.float32))
    near, far = np.array([[0, 5]], np.float32), np.array([[5, 0]], np.float32)
    assert fitted.distance(near) == pytest.approx(1, abs=0.05)
    assert fitted.distance(far) == pytest.approx(5, abs=0.2)


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    patches = np.random.default_rng(2).normal(size=(100, 4)).astype(np.float32)
    fitted = replace(Familiarity.fit(patches), farthest=3.0)
    fitted.save(tmp_path / FILE_NAME)
    read = Familiarity.of_encoder(f"local-dir:{tmp_path}")
    assert read is not None
    assert read.farthest == 3.0
    assert read.distance(patches) == pytest.approx(fitted.distance(patches))


@pytest.mark.parametrize("model", ["ViT-H-14/laion2b_s32b_b79k", "local-dir:nowhere"])
def test_an_encoder_without_the_file_knows_any_picture(model: str) -> None:
    assert Familiarity.of_encoder(model) is None


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(Misconfigured, match=FILE_NAME):
        Familiarity.of_encoder(f"local-dir:{tmp_path}")
