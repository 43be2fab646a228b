"""The encoder through its port, on a tiny randomly initialised model."""

import asyncio
import copy
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from operators.models.open_clip_encoder import OpenClipEncoder
from schemas.errors import Misconfigured
from schemas.settings import BatchSettings, EncoderSettings
from tests.tiny_models import TINY, write_model


def settings(folder: Path | str, **changes: object) -> EncoderSettings:
    return EncoderSettings.model_validate(
        {"model": f"local-dir:{folder}", "device": "cpu", "threads": 1, **changes}
    )


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny-clip", TINY)


@pytest_asyncio.fixture
async def encoder(tiny_clip: Path) -> AsyncIterator[OpenClipEncoder]:
    encoder = OpenClipEncoder.load(settings(tiny_clip))
    yield encoder
    await encoder.close()


def noise(width: int, height: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


async def test_a_batch_gives_what_each_item_alone_gives(tiny_clip: Path) -> None:
    sizes: list[tuple[str, int]] = []
    together = OpenClipEncoder.load(
        settings(tiny_clip, images=BatchSettings(max_size=8, max_wait_ms=500)),
        observe=lambda what, size, waited: sizes.append((what, size)),
    )
    alone = OpenClipEncoder.load(settings(tiny_clip))
    pictures = [noise(20 + 7 * i, 50 - 3 * i, i) for i in range(8)]
    batched = await asyncio.gather(*(together.encode_image(picture) for picture in pictures))
    single = [await alone.encode_image(picture) for picture in pictures]
    np.testing.assert_allclose(batched, single, atol=1e-5)
    assert sizes == [("encoder.images", 8)]
    await together.close()
    await alone.close()


async def test_vectors_are_of_unit_length_and_the_same_dimension(encoder: OpenClipEncoder) -> None:
    vectors = [
        await encoder.encode_image(noise(40, 30, 1)),
        await encoder.encode_text("a red shirt"),
        (await encoder.encode_patches(noise(40, 30, 1)))[1, 2],
    ]
    for vector in vectors:
        assert vector.shape == (encoder.dimension,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


async def test_texts_of_any_length_share_a_batch(encoder: OpenClipEncoder) -> None:
    texts = ["", "red", "a much longer text than the context of the model has tokens for, truly"]
    batched = await asyncio.gather(*(encoder.encode_text(text) for text in texts))
    for text, vector in zip(texts, batched, strict=True):
        np.testing.assert_allclose(vector, await encoder.encode_text(text), atol=1e-5)
    assert abs(float(batched[0] @ batched[1])) < 0.9999


async def test_patches_keep_their_place_in_the_picture(encoder: OpenClipEncoder) -> None:
    plain = Image.new("RGB", (64, 128), (128, 128, 128))
    marked = plain.copy()
    marked.paste((255, 0, 0), (48, 112, 64, 128))
    change = np.linalg.norm(
        await encoder.encode_patches(plain) - await encoder.encode_patches(marked), axis=-1
    )
    assert change.shape == (4, 4)
    assert np.unravel_index(change.argmax(), change.shape) == (3, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
async def test_any_picture_is_encoded(
    encoder: OpenClipEncoder, size: tuple[int, int], mode: str
) -> None:
    vector = await encoder.encode_image(Image.new(mode, size))
    assert np.isfinite(vector).all()


def test_the_fingerprint_depends_on_weights_and_preprocessing(
    tiny_clip: Path, tmp_path: Path
) -> None:
    def fingerprint(folder: Path) -> str:
        return OpenClipEncoder.load(settings(folder)).fingerprint

    copied = tmp_path / "tiny-clip"
    copied.mkdir()
    for file in tiny_clip.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    assert fingerprint(copied) == fingerprint(tiny_clip)
    assert fingerprint(tiny_clip).startswith("tiny-clip-")

    other_weights = write_model(tmp_path / "other" / "tiny-clip", TINY, seed=1)
    assert fingerprint(other_weights) != fingerprint(tiny_clip)

    config = copied / "open_clip_config.json"
    config.write_text(config.read_text().replace("shortest", "squash"))
    assert fingerprint(copied) != fingerprint(tiny_clip)


@pytest.mark.parametrize(
    "model", ["local-dir:no/such/folder", "ViT-B-32", "ViT-B-32/nobody", "x/y"]
)
def test_a_missing_model_is_refused(model: str) -> None:
    with pytest.raises(Misconfigured, match=r"encoder\.model"):
        OpenClipEncoder.load(EncoderSettings(model=model))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "bare", TINY)
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(Misconfigured, match="weights"):
        OpenClipEncoder.load(settings(folder))


def test_a_hub_model_is_refused_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Misconfigured, match="HF_HUB_OFFLINE"):
        OpenClipEncoder.load(EncoderSettings(model="hf-hub:nobody/nothing"))


async def test_a_model_without_patch_tokens_is_refused(tmp_path: Path) -> None:
    config = copy.deepcopy(TINY)
    config["vision_cfg"] |= {"attentional_pool": True, "attn_pooler_heads": 2}
    encoder = OpenClipEncoder.load(settings(write_model(tmp_path / "pooled", config)))
    with pytest.raises(Misconfigured, match="patch tokens"):
        await encoder.encode_patches(noise(10, 10, 0))
    await encoder.close()
