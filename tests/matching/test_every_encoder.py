"""A look is answered with every encoder of the table, by a model that says where the layers are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from operators.matching.calibration import Calibration
from operators.matching.crops import cut, square_around
from operators.matching.parts import MatchParts
from operators.matching.tagger import Tagger
from operators.models.batching_encoder import BatchingEncoder
from operators.models.encoder_table import ENCODERS, EncoderDescription
from operators.models.load_encoder import load_encoder
from operators.models.vllm_encoder import VllmEncoder
from operators.ports import ImageTextEncoder, LayerDescription
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.looks import Region
from schemas.settings import EncoderSettings
from tests.doubles import InMemoryIndex
from tests.matching.example_looks import keys, layer, look, match
from tests.matching.painted import JEANS, outfit, painting
from tests.matching.scripted_model import ScriptedModel
from tests.models.embedding_server import embedding_server
from tests.models.tiny_checkpoints import ON_HUB, write_checkpoint

SHIRT_BOX = Region(x0=0.25, y0=1 / 6, x1=0.75, y1=0.5)


async def pictured(index: object, encoder: ImageTextEncoder) -> InMemoryIndex:
    """The same products; the blouse's picture shows what the look shows, all others jeans."""
    assert isinstance(index, InMemoryIndex)
    look_picture = outfit()
    worn = cut(look_picture, square_around(SHIRT_BOX, look_picture.width, look_picture.height))
    other = painting((JEANS, (10, 10, 70, 110)))
    made = InMemoryIndex()
    for key, (_, attributes) in index.objects.items():
        picture = worn if key == "a:blouse" else other
        await made.upsert(key, await encoder.encode_image(picture), attributes)
    return made


@pytest.mark.parametrize("row", ENCODERS, ids=lambda row: row.name)
async def test_a_look_is_answered(
    row: EncoderDescription, parts: MatchParts, tmp_path: Path, taxonomy: Taxonomy
) -> None:
    if row.library == "vllm":
        with embedding_server(row.dimension) as server:
            encoder = VllmEncoder.load(EncoderSettings(model=row.source, url=server.url))
            await _answer_a_look(row, encoder, parts, taxonomy)
        return
    model = f"local-dir:{write_checkpoint(row.name, tmp_path)}" if row.name in ON_HUB else row.name
    loaded = load_encoder(EncoderSettings(model=model, device="cpu", threads=1))
    await _answer_a_look(row, loaded, parts, taxonomy)


async def _answer_a_look(
    row: EncoderDescription,
    encoder: BatchingEncoder | VllmEncoder,
    parts: MatchParts,
    taxonomy: Taxonomy,
) -> None:
    said = {Department.TOP: LayerDescription("a red striped blouse", {}, SHIRT_BOX)}
    parts = replace(
        parts,
        encoder=encoder,
        index=await pictured(parts.index, encoder),
        segmenter=None,
        tagger=Tagger(encoder, taxonomy) if row.reads_text else None,
        calibration=Calibration(),
        vlm=ScriptedModel(said, finds_layers=True),
    )

    event = await match(look(), parts)
    await encoder.close()

    top = layer(event, Department.TOP)
    assert keys(top)[0] == "a:blouse"
    assert top.region == SHIRT_BOX
    assert event.models["calibration"] == "uncalibrated"
    assert {found.outcome for found in top.products} == {"similar"}
