"""Human parsing by models of transformers, on a tiny SegFormer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import torch
from PIL import Image
from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

from operators.matching.calibration import LayerCalibration
from operators.matching.parsed_layers import ParsedLayers
from operators.models.transformers_parser import TransformersParser
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.settings import ParserSettings

LABELS = ("Background", "Hat", "Hair", "Upper-clothes", "Skirt", "Left-shoe", "Right-shoe")


def write_segformer(folder: Path, *, labels: tuple[str, ...] = LABELS, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    config = SegformerConfig(
        id2label=dict(enumerate(labels)),
        label2id={name: number for number, name in enumerate(labels)},
        hidden_sizes=[8, 8, 8, 8],
        num_attention_heads=[1, 1, 1, 1],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=8,
    )
    model: Any = SegformerForSemanticSegmentation(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    SegformerImageProcessor(size={"height": 64, "width": 96}).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_segformer(tmp_path / "parser")


@pytest_asyncio.fixture
async def parser(folder: Path) -> AsyncIterator[TransformersParser]:
    parser = TransformersParser(ParserSettings(kind="local", model=str(folder), device="cpu"))
    yield parser
    await parser.close()


def picture(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


async def test_each_cell_has_a_probability_of_each_label(parser: TransformersParser) -> None:
    assert parser.labels == LABELS
    for size in ((120, 200), (1, 1), (640, 30)):
        cells = await parser.parse(picture(*size))
        assert cells.shape == (len(LABELS), 16, 24)
        assert cells.dtype == np.float32
        assert cells.sum(0) == pytest.approx(np.ones((16, 24)), abs=1e-4)


async def test_pictures_of_any_mode_are_parsed(parser: TransformersParser) -> None:
    for mode in ("L", "RGBA", "P", "CMYK"):
        assert np.isfinite(await parser.parse(picture(40, 60).convert(mode))).all()


async def test_the_same_picture_is_parsed_alike(parser: TransformersParser) -> None:
    one, other = [await parser.parse(picture(120, 200)) for _ in range(2)]
    assert (one == other).all()


def test_the_fingerprint_is_that_of_the_weights(folder: Path, tmp_path: Path) -> None:
    def fingerprint(path: Path) -> str:
        return TransformersParser(ParserSettings(model=str(path))).fingerprint

    same = write_segformer(tmp_path / "again" / "parser")
    other = write_segformer(tmp_path / "other" / "parser", seed=1)
    assert fingerprint(folder) == fingerprint(same) != fingerprint(other)


def test_its_labels_name_departments(parser: TransformersParser) -> None:
    assert ParsedLayers(parser, LayerCalibration()).departments == {
        Department.HEADWEAR,
        Department.TOP,
        Department.BOTTOM,
        Department.FOOTWEAR,
    }


def test_broken_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    def refused(path: Path | str, text: str) -> None:
        with pytest.raises(Misconfigured, match=text):
            TransformersParser(ParserSettings(model=str(path)))

    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", r"cannot be loaded as a human parser: .*config.json")
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    refused(folder, "cannot be loaded as a human parser")
    weights.unlink()
    refused(folder, r"no \*.safetensors")
    weights.write_bytes(whole)


async def test_a_model_of_another_kind_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    parser = TransformersParser(ParserSettings(model=str(folder)))
    with pytest.raises(Misconfigured, match="AutoModelForSemanticSegmentation cannot be loaded"):
        await parser.load()
    await parser.close()


async def test_missing_weights_are_not_drawn_at_random(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "depths": [2, 1, 1, 1]}))
    parser = TransformersParser(ParserSettings(model=str(folder)))
    with pytest.raises(Misconfigured, match=r"lack .* tensors of SegformerForSemanticSegmentation"):
        await parser.load()
    await parser.close()


def test_a_name_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Misconfigured, match="neither a folder nor a model that the hub gives"):
        TransformersParser(ParserSettings(model="nobody/has-this-parser"))
