"""The encoder that the settings name, by whichever library loads it."""

from __future__ import annotations

from pathlib import Path

from operators.models.batching_encoder import BatchingEncoder, BatchObserver
from operators.models.encoder_name import LOCAL
from operators.models.encoder_table import encoder_source
from operators.models.open_clip_encoder import CONFIG_FILE, OpenClipEncoder
from operators.models.transformers_encoder import SCHEMA, TransformersEncoder
from schemas.settings import EncoderSettings


def load_encoder(
    settings: EncoderSettings, observe: BatchObserver | None = None
) -> BatchingEncoder:
    """Blocking. ``settings.model`` is a row of `looksync models list`, a folder
    (local-dir:FOLDER, in the format of either library), a hub's repository (hf-hub:NAME for
    open_clip, transformers:NAME), or open_clip's ARCHITECTURE/PRETRAINED.

    Raises Misconfigured, saying what to do, when it cannot be loaded.
    """
    settings = settings.model_copy(update={"model": encoder_source(settings.model)})
    if settings.model.startswith(SCHEMA) or _is_transformers_folder(settings.model):
        return TransformersEncoder.load(settings, observe)
    return OpenClipEncoder.load(settings, observe)


def _is_transformers_folder(model: str) -> bool:
    """Some folders are in both formats; open_clip's, which has a name of its own, goes first."""
    folder = Path(model.removeprefix(LOCAL))
    return (
        model.startswith(LOCAL)
        and not (folder / CONFIG_FILE).is_file()
        and (folder / "config.json").is_file()
    )
