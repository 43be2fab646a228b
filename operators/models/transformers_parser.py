"""Human parsing by any of transformers' models of semantic segmentation: SegFormer, UperNet, ...

These take seconds to import, so they are loaded with the first picture or by :meth:`load`: a look
whose result is cached needs neither.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from numpy.typing import NDArray
from PIL.Image import Image
from safetensors import SafetensorError
from torch.nn import functional

from operators.models.placement import Placement
from operators.models.sandbox_weights import SANDBOX_PARSER, sandbox_weights
from operators.models.weights_folder import name_and_hash, read_config
from schemas.errors import Misconfigured
from schemas.settings import ParserSettings

FINEST = 96
"""Some models answer for every pixel; a layer's box needs no more."""

FILES = ("config.json", "preprocessor_config.json", "*.safetensors")


class TransformersParser:
    """Implements :class:`operators.ports.HumanParser`; parses one picture at a time."""

    def __init__(self, settings: ParserSettings) -> None:
        """Raises Misconfigured unless ``settings.model`` names a model with labels and whole
        weights.

        Blocking: a model of the hub is fetched.
        """
        self._model_name, self._placement = settings.model, Placement.choose(settings.device)
        self.folder = _folder_of(settings.model)
        """Of the model's files."""
        try:
            names: dict[str, str] = read_config(self.folder).get("id2label", {})
            self.labels = tuple(names[number] for number in sorted(names, key=int))
            self.fingerprint = name_and_hash(self.folder)
        except (OSError, ValueError, SafetensorError) as error:
            raise self._unloadable(error) from error
        self._loaded: tuple[Any, Any] | None = None
        self._computation = ThreadPoolExecutor(1, "parser")

    async def load(self) -> None:
        """Load the model, once. Raises Misconfigured if transformers cannot load it completely."""
        await asyncio.get_running_loop().run_in_executor(self._computation, self._load)

    async def parse(self, image: Image) -> NDArray[np.float32]:
        """Shape (labels, rows, columns), of at most FINEST cells along a side."""
        return await asyncio.get_running_loop().run_in_executor(
            self._computation, self._parse, image
        )

    async def close(self) -> None:
        """Finish pending calls, then stop the thread."""
        self._computation.shutdown()

    @torch.inference_mode()
    def _parse(self, image: Image) -> NDArray[np.float32]:
        model, processor = self._load()
        prepared = processor(images=image.convert("RGB"), return_tensors="pt")
        logits = model(pixel_values=self._placement.upload(prepared["pixel_values"])).logits[0]
        _, rows, columns = logits.shape
        cells = (min(FINEST, rows), min(FINEST, columns))
        found = functional.adaptive_avg_pool2d(logits.float().softmax(0), cells)
        return np.asarray(found.cpu())

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

            from operators.models.complete import load_model, load_processor

            model = load_model(AutoModelForSemanticSegmentation, str(self.folder))
            processor = load_processor(AutoImageProcessor, str(self.folder))
            model = model.eval().to(self._placement.device, self._placement.dtype)
            self._loaded = model, processor
        return self._loaded

    def _unloadable(self, error: Exception) -> Misconfigured:
        return Misconfigured(
            f"parser.model {self._model_name!r} cannot be loaded as a human parser: {error}"
        )


def _folder_of(name: str) -> Path:
    """Where the model's files are. Raises Misconfigured when the hub has no such model, or cannot
    be reached."""
    if name == SANDBOX_PARSER:
        return sandbox_weights("parser")
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(name, allow_patterns=list(FILES)))
    except Exception as error:
        # The hub's library raises its HTTP library's errors, which differ between versions.
        raise Misconfigured(
            f"parser.model {name!r} is neither a folder nor a model that the hub gives: {error}"
        ) from error
