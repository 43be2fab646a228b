"""Which vision-language model is used, by preset and settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.settings import VlmSettings, load_settings


@pytest.fixture(autouse=True)
def no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_embedded_preset_asks_the_sandboxs_model() -> None:
    vlm = load_settings(preset="embedded").vlm
    assert (vlm.kind, vlm.model, vlm.prompts) == ("embedded", "sandbox-vlm", "sandbox-1")


@pytest.mark.parametrize("kind", ["none", "openai"])
def test_another_kind_leaves_nothing_of_the_sandboxs(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKSYNC_VLM__KIND", kind)
    vlm = load_settings().vlm
    assert vlm == VlmSettings.model_validate({"kind": kind})
    assert (vlm.model, vlm.prompts) == ("Qwen/Qwen3-VL-8B-Instruct", "general-3")


def test_another_folder_has_the_general_words() -> None:
    vlm = load_settings(vlm={"kind": "embedded", "model": "models/mine"}).vlm
    assert (vlm.model, vlm.prompts) == ("models/mine", "general-3")
