"""Which part finds the layers of looks, and settings with which none would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from dataflows.wiring.encoders import find_layer_finder
from dataflows.wiring.parts import open_catalog_parts, open_look_parts
from operators.models.encoder_table import ENCODERS, known_encoder
from schemas.errors import Misconfigured
from schemas.settings import Settings, load_settings
from tests.models.tiny_checkpoints import write_checkpoint

BOXES = {"kind": "openai"}
NO_BOXES = {"kind": "embedded"}
NO_MODEL = {"kind": "none"}
FLORENCE = {"kind": "florence-sam2"}
PARSER = {"kind": "local"}
NO_PARSER = {"kind": "none"}


@pytest.mark.parametrize("row", ENCODERS, ids=lambda row: row.name)
def test_a_model_that_gives_boxes_makes_every_encoder_work(row: Any) -> None:
    assert "vision-language" in find_layer_finder(row, load_settings(vlm=BOXES))


@pytest.mark.parametrize("vlm", [NO_BOXES, NO_MODEL])
def test_an_encoder_that_finds_layers_needs_nobody_else(vlm: Any) -> None:
    row, settings = known_encoder("fashion-clip"), load_settings(vlm=vlm, parser=NO_PARSER)
    assert find_layer_finder(row, settings) == "the encoder"


@pytest.mark.parametrize("vlm", [NO_BOXES, NO_MODEL])
@pytest.mark.parametrize("name", ["fashion-clip", "marqo-fashionSigLIP"])
def test_a_parser_finds_layers_for_every_encoder_that_reads_text(name: str, vlm: Any) -> None:
    settings = load_settings(vlm=vlm, parser=PARSER)
    assert find_layer_finder(known_encoder(name), settings) == "the human parser"


def test_without_words_a_parser_needs_a_model_that_describes() -> None:
    row = known_encoder("dinov2-large")
    assert "parser" in find_layer_finder(row, load_settings(vlm=NO_BOXES, parser=PARSER))
    with pytest.raises(Misconfigured, match=r"image tower only, and nobody says.*set vlm.kind"):
        find_layer_finder(row, load_settings(vlm=NO_MODEL, parser=PARSER))


@pytest.mark.parametrize("name", ["marqo-fashionSigLIP", "dinov2-large"])
def test_an_encoder_without_comparable_patches_needs_a_model(name: str) -> None:
    row = known_encoder(name)
    settings = load_settings(vlm=NO_MODEL, segmenter=FLORENCE, parser=NO_PARSER)
    with pytest.raises(Misconfigured, match=r"set vlm.kind or parser.kind, or choose an encoder"):
        find_layer_finder(row, settings)
    settings = load_settings(vlm=NO_BOXES, segmenter=FLORENCE, parser=NO_PARSER)
    assert "segmenter" in find_layer_finder(row, settings)


def test_without_boxes_words_must_do() -> None:
    settings = load_settings(vlm=NO_BOXES, parser=NO_PARSER)
    assert "words" in find_layer_finder(known_encoder("marqo-fashionSigLIP"), settings)
    with pytest.raises(Misconfigured, match=r"image tower only.*vlm.prompts.*segmenter.kind"):
        find_layer_finder(known_encoder("dinov2-large"), settings)


@pytest.mark.parametrize("open_parts", [open_look_parts, open_catalog_parts])
async def test_no_flow_starts_when_no_look_could_be_answered(
    open_parts: Callable[[Settings], AbstractAsyncContextManager[object]], tmp_path: Path
) -> None:
    folder = write_checkpoint("marqo-fashionSigLIP", tmp_path / "siglip")
    settings = load_settings(
        encoder={"model": f"local-dir:{folder}"},
        vlm=NO_MODEL,
        parser=NO_PARSER,
        images={"http_cache": None},
        index={"path": tmp_path / "index.sqlite"},
        redis={"folder": tmp_path / "valkey"},
        thumbnails={"url": str(tmp_path / "thumbnails")},
    )
    with pytest.raises(Misconfigured, match="finds no layers"):
        async with open_parts(settings):
            pass
