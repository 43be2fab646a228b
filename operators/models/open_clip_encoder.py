"""The image-text encoder: any model that open_clip can load, behind one batching front."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import VisionTransformer
from PIL.Image import Image

from operators.ports import Vector
from operators.streaming.batcher import MicroBatcher
from schemas.errors import Misconfigured
from schemas.settings import BatchSettings, EncoderSettings

Item = TypeVar("Item")
Result = TypeVar("Result")

BatchObserver = Callable[[str, int, float], None]
"""Told of each batch: "encoder.images", "encoder.texts" or "encoder.patches"; its size; how long
its first item waited, in seconds."""


class OpenClipEncoder:
    """Implements :class:`operators.ports.ImageTextEncoder`.

    Pictures are prepared in one thread and the model runs in another, so that the next batch is
    made ready while this one computes; concurrent calls share batches. Call from one event loop.
    """

    def __init__(
        self,
        name: str,
        model: torch.nn.Module,
        tokenize: Callable[[list[str]], torch.Tensor],
        settings: EncoderSettings,
        observe: BatchObserver | None = None,
    ) -> None:
        """``model`` as open_clip makes it, with weights; :meth:`load` is the usual way in."""
        device = _device(settings.device)
        self._device = torch.device(device)
        self._model: Any = model.to(self._device).eval()
        self._tokenize = tokenize
        visual: Any = model.visual
        preprocessing = PreprocessCfg(**visual.preprocess_cfg)
        self._prepare = image_transform_v2(preprocessing, is_train=False)
        # Patches must lie where they lie in the picture: nothing may be cropped away.
        self._prepare_whole = image_transform_v2(
            replace(preprocessing, resize_mode="squash"), is_train=False
        )
        self._preparation = ThreadPoolExecutor(1, "encoder-prepare")
        self._computation = ThreadPoolExecutor(
            1, "encoder-model", initializer=_use_threads, initargs=(settings.threads,)
        )
        self._dimension = len(self._computation.submit(self._embed_texts, [""]).result()[0])
        self._fingerprint = _fingerprint(name, self._model, preprocessing, self._dimension)

        def batcher(
            what: str, embed: Callable[[Sequence[Item]], list[Result]], limits: BatchSettings
        ) -> MicroBatcher[Item, Result]:
            process: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]
            process = self._in_model_thread(embed)
            return MicroBatcher(
                process,
                max_size=limits.max_size,
                max_wait_ms=limits.max_wait_ms,
                observe=None if observe is None else _labelled(observe, f"encoder.{what}"),
            )

        self._images = batcher("images", self._embed_images, settings.images)
        self._texts = batcher("texts", self._embed_texts, settings.texts)
        self._patches = batcher("patches", self._embed_patches, settings.images)

    @classmethod
    def load(
        cls, settings: EncoderSettings, observe: BatchObserver | None = None
    ) -> OpenClipEncoder:
        """The model that ``settings.model`` names, with its weights; blocking.

        Weights of ``hf-hub:`` and ARCHITECTURE/PRETRAINED come from the local caches of those
        libraries or from the network; with HF_HUB_OFFLINE=1 from the caches only.
        Raises Misconfigured, saying what to do, when there is no such model or no weights.
        """
        architecture, pretrained = _source(settings.model)
        try:
            model = open_clip.create_model(
                architecture, pretrained=pretrained, require_pretrained=True
            )
            tokenize = open_clip.get_tokenizer(architecture)
        except Exception as error:
            # open_clip and the libraries below raise anything from AssertionError to HTTP errors
            # here, and all of it means the same: this model cannot be loaded.
            raise Misconfigured(
                f"encoder.model = {settings.model!r} cannot be loaded: {error}. Name a folder with "
                "open_clip_config.json and weights (local-dir:FOLDER), or fetch the weights once "
                "with network access and HF_HUB_OFFLINE unset."
            ) from error
        return cls(_name(settings.model), model, tokenize, settings, observe)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimension(self) -> int:
        return self._dimension

    async def encode_image(self, image: Image) -> Vector:
        return await self._images.submit(await self._prepared(self._prepare, image))

    async def encode_text(self, text: str) -> Vector:
        return await self._texts.submit(text)

    async def encode_patches(self, image: Image) -> NDArray[np.float32]:
        """Raises Misconfigured when the model has no patch tokens in the joint space."""
        visual = self._model.visual
        if not isinstance(visual, VisionTransformer) or visual.attn_pool is not None:
            raise Misconfigured(
                f"{self._fingerprint} has no patch tokens in the joint space; choose an encoder "
                "whose image tower is open_clip's VisionTransformer without attention pooling"
            )
        return await self._patches.submit(await self._prepared(self._prepare_whole, image))

    async def close(self) -> None:
        """Finish the calls already made, then stop the threads."""
        for batcher in (self._images, self._texts, self._patches):
            await batcher.close()
        self._preparation.shutdown()
        self._computation.shutdown()

    async def _prepared(
        self, prepare: Callable[[Image], torch.Tensor], image: Image
    ) -> torch.Tensor:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._preparation, prepare, image)

    def _in_model_thread(
        self, embed: Callable[[Sequence[Item]], list[Result]]
    ) -> Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]:
        async def process(items: Sequence[Item]) -> list[Result]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._computation, embed, items)

        return process

    @torch.inference_mode()
    def _embed_images(self, pictures: Sequence[torch.Tensor]) -> list[Vector]:
        features = self._model.encode_image(torch.stack(list(pictures)).to(self._device))
        return list(_unit(features))

    @torch.inference_mode()
    def _embed_texts(self, texts: Sequence[str]) -> list[Vector]:
        tokens = self._tokenize(list(texts)).to(self._device)
        return list(_unit(self._model.encode_text(tokens)))

    @torch.inference_mode()
    def _embed_patches(self, pictures: Sequence[torch.Tensor]) -> list[NDArray[np.float32]]:
        """The image tower without its pooling: every token takes the class token's way out
        (last norm, projection), as in Zhou et al. 2022 (MaskCLIP) for global-token models."""
        visual = self._model.visual
        batch = torch.stack(list(pictures)).to(self._device)
        tokens = visual.ln_post(visual.transformer(visual._embeds(batch)))[:, 1:]
        if visual.proj is not None:
            tokens = tokens @ visual.proj
        rows, columns = visual.grid_size
        return list(_unit(tokens).reshape(len(batch), rows, columns, -1))


def _unit(features: torch.Tensor) -> NDArray[np.float32]:
    normalised = torch.nn.functional.normalize(features.float(), dim=-1)
    return np.asarray(normalised.cpu().numpy(), dtype=np.float32)


def _device(name: str) -> str:
    if name != "auto":
        return name
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _use_threads(threads: int | None) -> None:
    # OpenMP keeps the number per calling thread: it must be set in the one that computes.
    if threads is not None:
        torch.set_num_threads(threads)


def _labelled(observe: BatchObserver, label: str) -> Callable[[int, float], None]:
    return lambda size, waited: observe(label, size, waited)


def _source(model: str) -> tuple[str, str | None]:
    """open_clip's ``model_name`` and ``pretrained``."""
    schema, _, folder = model.partition(":")
    if schema == "local-dir":
        if not (Path(folder) / "open_clip_config.json").is_file():
            raise Misconfigured(
                f"encoder.model = {model!r}: {folder}/open_clip_config.json is not there. Start in "
                "the project's folder, or set LOOKSYNC_ENCODER__MODEL to the folder of an "
                "open_clip model."
            )
        return model, None
    if schema == "hf-hub":
        return model, None
    architecture, slash, pretrained = model.partition("/")
    if not slash:
        raise Misconfigured(
            f"encoder.model = {model!r}: say which weights, as ARCHITECTURE/PRETRAINED"
        )
    return architecture, pretrained


def _name(model: str) -> str:
    """What a model is called, wherever it lies: letters, digits and hyphens."""
    folder = model.removeprefix("local-dir:")
    name = Path(folder).resolve().name if folder != model else model
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")


def _fingerprint(
    name: str, model: torch.nn.Module, preprocessing: PreprocessCfg, dimension: int
) -> str:
    """``name-hash``, the hash taken over all weights, the preprocessing and the dimension.

    Computed once per load, of the weights in memory: the same weights give the same hash whatever
    file they came from, at about 1 s per GB.
    """
    digest = hashlib.sha256(f"{sorted(asdict(preprocessing).items())} {dimension}".encode())
    for parameter, tensor in sorted(model.state_dict().items()):
        digest.update(f"{parameter} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(memoryview(flat.numpy()))
    return f"{name}-{digest.hexdigest()[:12]}"
