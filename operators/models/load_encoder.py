"""Loads the encoder named by the settings with the library it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from operators.models.encoder_name import LOCAL, OPEN_CLIP_FILE, TRANSFORMERS
from operators.models.encoder_table import encoder_source
from schemas.settings import EncoderSettings

if TYPE_CHECKING:
    from operators.models.batching_encoder import BatchingEncoder, BatchObserver


def load_encoder(
    settings: EncoderSettings, observe: BatchObserver | None = None
) -> BatchingEncoder:
    """Load ``settings.model``; blocking.

    It is a row of `looksync models list`, a folder (local-dir:FOLDER, in the format of either
    library), a repository on the hub (hf-hub:NAME for open_clip, transformers:NAME), or open_clip's
    ARCHITECTURE/PRETRAINED. Raises Misconfigured if it cannot be loaded.
    """
    # Each library takes seconds to import: only the one that is needed, and none for a command
    # that ends before it needs a model.
    settings = settings.model_copy(update={"model": encoder_source(settings.model)})
    if settings.model.startswith(TRANSFORMERS) or _is_transformers_folder(settings.model):
        from operators.models.transformers_encoder import TransformersEncoder

        return TransformersEncoder.load(settings, observe)
    from operators.models.open_clip_encoder import OpenClipEncoder

    return OpenClipEncoder.load(settings, observe)


def _is_transformers_folder(model: str) -> bool:
    """A folder in both formats counts as open_clip's, whose file name is unambiguous."""
    folder = Path(model.removeprefix(LOCAL))
    return (
        model.startswith(LOCAL)
        and not (folder / OPEN_CLIP_FILE).is_file()
        and (folder / "config.json").is_file()
    )
