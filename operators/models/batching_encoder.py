"""Batching, threads, precision and fingerprint, shared by all image-text encoders."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from operators.batcher import MicroBatcher
from operators.models.placement import Placement
from operators.models.towers import Towers
from operators.ports import Vector
from schemas.settings import BatchSettings, EncoderSettings

Item = TypeVar("Item")
Result = TypeVar("Result")
Array = NDArray[np.float32]

BatchObserver = Callable[[str, int, float], None]
"""Called for each batch with "encoder.images", "encoder.texts" or "encoder.patches", its size, and
the seconds that its first item waited."""

TOKENS_PER_CALL = 2048
"""Limit of one call of the text tower, padding included. Texts are grouped by length, so that a
long one does not pad all others; a full batch of queries (64 of 10 to 20 tokens) fits."""


class BatchingEncoder:
    """Implements :class:`operators.ports.ImageTextEncoder` on any :class:`Towers`.

    Preprocessing and tokenization run in other threads than the model. Pictures are preprocessed
    one by one, so that the next batch is prepared while the current one computes; texts are
    tokenized in batches, which takes a fraction of the time. Concurrent calls share batches. Use
    from one event loop.
    """

    def __init__(
        self,
        name: str,
        towers: Towers,
        settings: EncoderSettings,
        observe: BatchObserver | None = None,
    ) -> None:
        """``towers``: with weights in float32."""
        self._placement = Placement.choose(settings.device)
        self._towers = towers
        self._preparation = ThreadPoolExecutor(
            self._placement.preparation_threads, "encoder-prepare"
        )
        self._computation = ThreadPoolExecutor(
            1, "encoder-model", initializer=_set_threads, initargs=(settings.threads,)
        )
        towers.model.eval()
        self._dimension: int = self._computation.submit(_measure_dimension, towers).result()
        # Before the weights change precision, so that the fingerprint is the same everywhere.
        self._fingerprint = _fingerprint(name, towers, self._dimension)
        towers.model.to(self._placement.device, self._placement.dtype)

        def batcher(
            what: str,
            process: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
            limits: BatchSettings,
        ) -> MicroBatcher[Item, Result]:
            return MicroBatcher(
                process,
                max_size=limits.max_size,
                max_wait_ms=limits.max_wait_ms,
                observe=None if observe is None else _with_label(observe, f"encoder.{what}"),
            )

        images, patches = map(self._in_model_thread, (self._embed_images, self._embed_patches))
        self._images = batcher("images", images, settings.images)
        self._texts = batcher("texts", self._process_texts, settings.texts)
        self._patches = batcher("patches", patches, settings.images)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def reads_text(self) -> bool:
        return self._towers.reads_text

    @property
    def finds_layers(self) -> bool:
        return self._towers.finds_layers

    @property
    def resolution(self) -> int:
        """Side of the model's square input, in pixels."""
        return self._towers.resolution

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation per channel, of values in 0..1."""
        return self._towers.mean, self._towers.std

    async def encode_image(self, image: Image.Image) -> Vector:
        return await self._images.submit(await self._prepared(self._towers.prepare, image))

    async def encode_text(self, text: str) -> Vector:
        """Raises Misconfigured if the model has no text tower."""
        return await self._texts.submit(text)

    async def encode_patches(self, image: Image.Image) -> Array:
        """Raises Misconfigured if the model has no patch tokens in the joint space."""
        return await self._patches.submit(await self._prepared(self._towers.prepare_whole, image))

    async def close(self) -> None:
        """Finish pending calls, then stop the threads."""
        for batcher in (self._images, self._texts, self._patches):
            await batcher.close()
        self._preparation.shutdown()
        self._computation.shutdown()

    async def _prepared(
        self, prepare: Callable[[Image.Image], torch.Tensor], image: Image.Image
    ) -> torch.Tensor:
        """Run ``prepare`` in a preparation thread and start uploading its result to the device."""

        def run() -> torch.Tensor:
            return self._placement.upload(prepare(image))

        return await asyncio.get_running_loop().run_in_executor(self._preparation, run)

    async def _process_texts(self, texts: Sequence[str]) -> list[Vector]:
        loop = asyncio.get_running_loop()
        tokens = await loop.run_in_executor(self._preparation, self._towers.tokenize, texts)
        return await loop.run_in_executor(self._computation, self._embed_texts, tokens)

    def _in_model_thread(
        self, embed: Callable[[Sequence[torch.Tensor]], list[Result]]
    ) -> Callable[[Sequence[torch.Tensor]], Awaitable[Sequence[Result]]]:
        async def process(items: Sequence[torch.Tensor]) -> list[Result]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._computation, embed, items)

        return process

    @torch.inference_mode()
    def _embed_images(self, pictures: Sequence[torch.Tensor]) -> list[Vector]:
        return list(_normalise(self._towers.image_features(torch.stack(list(pictures)))))

    @torch.inference_mode()
    def _embed_patches(self, pictures: Sequence[torch.Tensor]) -> list[Array]:
        return list(_normalise(self._towers.patch_features(torch.stack(list(pictures)))))

    @torch.inference_mode()
    def _embed_texts(self, texts: Sequence[torch.Tensor]) -> list[Vector]:
        vectors: list[Vector] = [np.empty(0, np.float32)] * len(texts)
        for indices in group_by_length([len(text) for text in texts]):
            tokens = torch.nn.utils.rnn.pad_sequence(
                [texts[index] for index in indices], batch_first=True
            )
            features = self._towers.text_features(self._placement.upload(tokens))
            for index, vector in zip(indices, _normalise(features), strict=True):
                vectors[index] = vector
        return vectors


def group_by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group the indices of texts into calls of at most TOKENS_PER_CALL padded tokens, shortest
    text first. A longer text gets a call of its own.
    """
    call: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if call and (len(call) + 1) * lengths[index] > TOKENS_PER_CALL:
            yield call
            call = []
        call.append(index)
    if call:
        yield call


def _normalise(features: torch.Tensor) -> Array:
    normalised = torch.nn.functional.normalize(features.float(), dim=-1)
    return np.asarray(normalised.cpu().numpy(), dtype=np.float32)


def _set_threads(threads: int | None) -> None:
    # OpenMP's number of threads is per calling thread: set it in the one that computes.
    if threads is not None:
        torch.set_num_threads(threads)


def _with_label(observe: BatchObserver, label: str) -> Callable[[int, float], None]:
    return lambda size, waited: observe(label, size, waited)


@torch.inference_mode()
def _measure_dimension(towers: Towers) -> int:
    if towers.reads_text:
        return towers.text_features(towers.tokenize([""])[0][None]).shape[-1]
    blank = towers.prepare(Image.new("RGB", (1, 1)))
    return towers.image_features(blank[None]).shape[-1]


def _fingerprint(name: str, towers: Towers, dimension: int) -> str:
    """``name-hash``: 12 hexadecimal digits over weights, preprocessing and dimension.

    Hashes the weights in memory, at about 1 s per GB, so that the file format does not matter.
    """
    digest = hashlib.sha256(f"{towers.preprocessing} {dimension}".encode())
    for parameter, tensor in sorted(towers.model.state_dict().items()):
        digest.update(f"{parameter} {tuple(tensor.shape)} {tensor.dtype}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(memoryview(flat.numpy()))
    return f"{name}-{digest.hexdigest()[:12]}"
