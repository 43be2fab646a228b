"""An embedded vision-language model that is loaded when it is first asked.

Importing transformers and loading take several seconds, and a command that matches one look often
finds the answers in the cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL.Image import Image
from safetensors import SafetensorError

from operators.budget import Budget
from operators.models.sandbox_weights import SANDBOX_VLM, sandbox_weights
from operators.models.vlm.answers import OnRepair
from operators.models.vlm.prompts import Prompts
from operators.models.weights_folder import name_and_hash, read_config
from operators.ports import LayerDescription, Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

if TYPE_CHECKING:
    from operators.models.vlm.embedded import EmbeddedVisionModel


class DeferredVisionModel:
    """Implements :class:`operators.ports.VisionLanguageModel`. Use from one event loop."""

    def __init__(self, settings: VlmSettings, taxonomy: Taxonomy, on_repair: OnRepair) -> None:
        """``settings.model`` is a folder or ``sandbox-vlm``.

        Raises Misconfigured unless it holds a configuration and whole weights.
        """
        self._settings, self._taxonomy, self._on_repair = settings, taxonomy, on_repair
        self._fingerprint = fingerprint_of(settings)
        self._asks_for_boxes = Prompts.load(settings.prompts).asks_for_boxes
        self._loading = asyncio.Lock()
        self._model: EmbeddedVisionModel | None = None

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def finds_layers(self) -> bool:
        return self._asks_for_boxes

    async def load(self) -> EmbeddedVisionModel:
        """Load the model, once. Raises Misconfigured if transformers cannot load it."""
        async with self._loading:
            if self._model is None:
                self._model = await asyncio.to_thread(self._load)
            return self._model

    def _load(self) -> EmbeddedVisionModel:
        from operators.models.vlm.embedded import EmbeddedVisionModel

        return EmbeddedVisionModel.load(
            self._settings, self._taxonomy, self._on_repair, self._fingerprint
        )

    async def close(self) -> None:
        if self._model is not None:
            await self._model.close()

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        return await (await self.load()).describe(pictures, budget)

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        return await (await self.load()).rerank(method, query, region, candidates, budget)


def model_folder(settings: VlmSettings) -> Path:
    """Where the weights of an embedded model are."""
    return sandbox_weights("vlm") if settings.model == SANDBOX_VLM else Path(settings.model)


def fingerprint_of(settings: VlmSettings) -> str:
    """Weights and set of prompts: both determine the answers.

    Raises Misconfigured unless the folder holds a configuration and whole weights.
    """
    folder = model_folder(settings)
    try:
        read_config(folder)
        weights = name_and_hash(folder)
    except (OSError, ValueError, SafetensorError) as error:
        raise unloadable(settings, error) from error
    return f"{weights}/{settings.prompts}"


def unloadable(settings: VlmSettings, error: Exception) -> Misconfigured:
    """What is said of a folder that holds no model."""
    return Misconfigured(
        f"vlm.model {settings.model!r} cannot be loaded as a vision-language model: {error}"
    )
