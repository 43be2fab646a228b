"""Every encoder of the table, loaded by its library from its own format on disk."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import pytest_asyncio
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from operators.models.batching_encoder import BatchingEncoder
from operators.models.encoder_table import ENCODERS, EncoderDescription
from operators.models.load_encoder import load_encoder
from operators.models.placement import Placement
from schemas.errors import Misconfigured
from schemas.settings import BatchSettings, EncoderSettings
from tests.models.tiny_checkpoints import LOADED, ON_HUB, write_checkpoint

TEXTS = ["", "red", "Navy Jeans", "a long cream cardigan with wooden buttons " * 4]
GRIDS = {
    "ViT-H-14-laion2b-s32b-b79k": 16,
    "fashion-clip": 7,
    "marqo-fashionCLIP": 14,
    "dinov2-large": 16,
    "sandbox-clip": 7,
}
"""Patches per side; the others pool by attention."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Row name -> encoder.model."""
    folder = tmp_path_factory.mktemp("models")
    written = {name: f"local-dir:{write_checkpoint(name, folder / name)}" for name in ON_HUB}
    return {row.name: written.get(row.name, row.name) for row in LOADED}


@pytest.fixture(params=LOADED, ids=lambda row: row.name)
def row(request: pytest.FixtureRequest) -> EncoderDescription:
    row: EncoderDescription = request.param
    return row


def settings(model: str, **changes: object) -> EncoderSettings:
    return EncoderSettings.model_validate(
        {"model": model, "device": "cpu", "threads": 1, **changes}
    )


@pytest_asyncio.fixture
async def encoder(
    row: EncoderDescription, checkpoints: dict[str, str]
) -> AsyncIterator[BatchingEncoder]:
    encoder = load_encoder(settings(checkpoints[row.name]))
    yield encoder
    await encoder.close()


def noise(seed: int, width: int = 90, height: int = 130) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


async def test_a_model_matches_its_row(row: EncoderDescription, encoder: BatchingEncoder) -> None:
    assert encoder.dimension == row.dimension
    assert encoder.resolution == row.resolution
    np.testing.assert_allclose(
        encoder.normalisation, (row.normalisation.mean, row.normalisation.std), atol=1e-7
    )
    assert encoder.reads_text == row.reads_text


async def test_both_towers_give_unit_vectors_of_one_space(
    row: EncoderDescription, encoder: BatchingEncoder
) -> None:
    vectors = [await encoder.encode_image(noise(1))]
    if row.reads_text:
        vectors += [await encoder.encode_text(text) for text in TEXTS]
    for vector in vectors:
        assert vector.shape == (row.dimension,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


async def test_a_batch_gives_what_each_item_alone_gives(
    row: EncoderDescription, checkpoints: dict[str, str]
) -> None:
    batches: list[tuple[str, int]] = []
    patient = BatchSettings(max_size=4, max_wait_ms=2000)
    together = load_encoder(
        settings(checkpoints[row.name], images=patient, texts=patient),
        observe=lambda what, size, waited: batches.append((what, size)),
    )
    alone = load_encoder(settings(checkpoints[row.name]))
    pictures = [noise(n, 60 + 20 * n, 100 - 10 * n) for n in range(4)]
    batched = await asyncio.gather(*map(together.encode_image, pictures))
    single = [await alone.encode_image(picture) for picture in pictures]
    np.testing.assert_allclose(batched, single, atol=2e-5)
    if row.reads_text:
        batched = await asyncio.gather(*map(together.encode_text, TEXTS))
        single = [await alone.encode_text(text) for text in TEXTS]
        np.testing.assert_allclose(batched, single, atol=2e-5)
    assert batches == [("encoder.images", 4), ("encoder.texts", 4)][: 1 + row.reads_text]
    await together.close()
    await alone.close()


async def test_different_items_get_different_vectors(
    row: EncoderDescription, encoder: BatchingEncoder
) -> None:
    one, other = await encoder.encode_image(noise(1)), await encoder.encode_image(noise(2))
    assert not np.allclose(one, other, atol=1e-4)
    if row.reads_text:
        red, jeans = await encoder.encode_text("red"), await encoder.encode_text("jeans")
        assert not np.allclose(red, jeans, atol=1e-4)


async def test_patches_have_unit_vectors_or_are_refused(
    row: EncoderDescription, encoder: BatchingEncoder
) -> None:
    if row.name not in GRIDS:
        with pytest.raises(Misconfigured, match="patch tokens"):
            await encoder.encode_patches(noise(1))
        return
    patches = await encoder.encode_patches(noise(1))
    assert patches.shape == (GRIDS[row.name], GRIDS[row.name], row.dimension)
    np.testing.assert_allclose(np.linalg.norm(patches, axis=-1), 1, atol=1e-5)


async def test_half_precision_changes_little_and_not_the_fingerprint(
    row: EncoderDescription,
    checkpoints: dict[str, str],
    encoder: BatchingEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = Placement(torch.device("cpu"), torch.bfloat16)
    monkeypatch.setattr(Placement, "choose", lambda device: half)
    rough = load_encoder(settings(checkpoints[row.name]))
    assert rough.fingerprint == encoder.fingerprint
    pairs = [(await rough.encode_image(noise(1)), await encoder.encode_image(noise(1)))]
    if row.reads_text:
        pairs.append((await rough.encode_text("red"), await encoder.encode_text("red")))
    for approximate, exact in pairs:
        assert approximate.dtype == np.float32
        assert float(approximate @ exact) > 0.99
    await rough.close()


@pytest.mark.parametrize("name", ["marqo-fashionCLIP", "sandbox-clip"])
async def test_texts_without_padding_have_the_same_vectors(
    name: str, checkpoints: dict[str, str]
) -> None:
    """Against open_clip's own text tower on the full context."""
    row = next(row for row in ENCODERS if row.name == name)
    model = checkpoints[name] if row.on_hub else row.checkpoint
    plain = open_clip.create_model(model).eval()
    with torch.inference_mode():
        expected = plain.encode_text(open_clip.get_tokenizer(model)(TEXTS), normalize=True)
    encoder = load_encoder(settings(model))
    vectors = await asyncio.gather(*map(encoder.encode_text, TEXTS))
    np.testing.assert_allclose(vectors, expected.numpy(), atol=2e-5)
    await encoder.close()


async def test_dinov2_refuses_texts_and_suggests_the_region(checkpoints: dict[str, str]) -> None:
    encoder = load_encoder(settings(checkpoints["dinov2-large"]))
    with pytest.raises(Misconfigured, match="by the region"):
        await encoder.encode_text("a red shirt")
    await encoder.close()


async def test_siglip_ignores_case(checkpoints: dict[str, str]) -> None:
    encoder = load_encoder(settings(checkpoints["siglip2-base-patch16-224"]))
    capitals, small = await encoder.encode_text("RED Shirt"), await encoder.encode_text("red shirt")
    np.testing.assert_allclose(capitals, small, atol=1e-6)
    await encoder.close()


def test_incomplete_weights_are_refused(tmp_path: Path) -> None:
    folder = write_checkpoint("fashion-clip", tmp_path / "partial")
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Misconfigured, match="lack 1 tensor"):
        load_encoder(settings(f"local-dir:{folder}"))


def test_an_unsupported_model_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(Misconfigured, match="bert"):
        load_encoder(settings(f"local-dir:{tmp_path}"))


@pytest.mark.parametrize("absent", ["model.safetensors", "preprocessor_config.json"])
def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path, absent: str) -> None:
    folder = write_checkpoint("fashion-clip", tmp_path / "bare")
    (folder / absent).unlink()
    with pytest.raises(Misconfigured, match=r"encoder\.model"):
        load_encoder(settings(f"local-dir:{folder}"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_device_is_refused() -> None:
    with pytest.raises(Misconfigured, match="cuda"):
        load_encoder(settings("sandbox-clip", device="cuda"))
