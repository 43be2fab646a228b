"""An embedded model is loaded when it is first asked; what its folder lacks is said at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from operators.budget import Budget
from operators.models.sandbox_weights import sandbox_weights
from operators.models.vlm.deferred import DeferredVisionModel
from operators.models.vlm.embedded import EmbeddedVisionModel
from operators.ports import Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.errors import Misconfigured
from schemas.settings import VlmSettings

TAXONOMY = Taxonomy.load()


def settings_of(model: object) -> VlmSettings:
    return VlmSettings.model_validate(
        {"kind": "embedded", "model": str(model), "prompts": "sandbox-1"}
    )


def ignore(kind: str) -> None:
    """Nothing is repaired here."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(sandbox_weights("vlm"), tmp_path / "vlm"))


async def test_it_answers_as_the_model_that_it_loads_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_of("sandbox-vlm")
    loads = []
    load = EmbeddedVisionModel.load

    def counted(*arguments: object) -> EmbeddedVisionModel:
        loads.append(arguments)
        return load(settings, TAXONOMY, ignore)

    monkeypatch.setattr(EmbeddedVisionModel, "load", counted)
    loaded = load(settings, TAXONOMY, ignore)
    deferred = DeferredVisionModel(settings, TAXONOMY, ignore)
    assert not loads
    assert deferred.fingerprint == loaded.fingerprint
    assert deferred.finds_layers == loaded.finds_layers

    look = [Picture(Image.new("RGB", (128, 192), "red"), "hash")]
    try:
        expected = await loaded.describe(look, Budget.of(60))
        assert await deferred.describe(look, Budget.of(60)) == expected
        assert await deferred.describe(look, Budget.of(60)) == expected
    finally:
        await deferred.close()
        await loaded.close()
    assert len(loads) == 1


async def test_a_model_that_was_never_asked_closes(folder: Path) -> None:
    await DeferredVisionModel(settings_of(folder), TAXONOMY, ignore).close()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["absent", "cut"])
def test_a_damaged_folder_is_refused_before_it_is_loaded(
    name: str, damage: str, folder: Path
) -> None:
    file = folder / name
    if damage == "absent":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(Misconfigured, match="cannot be loaded as a vision-language model"):
        DeferredVisionModel(settings_of(folder), TAXONOMY, ignore)
