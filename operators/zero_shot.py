"""Zero-shot classification of pictures and texts by their nearest prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.ports import ImageTextEncoder, Vector


class ZeroShotClassifier:
    """Labels with one or more prompts each; a label's vector is the mean of its prompts'.

    Prompt ensembles are averaged in the embedding space, and probabilities are a softmax over
    ``scale`` (CLIP's learned logit scale, at most 100) times the cosines: Radford et al. 2021
    (CLIP), section 3.1.4. Raises ValueError without any label.
    """

    def __init__(
        self,
        encoder: ImageTextEncoder,
        prompts: Mapping[str, Sequence[str]],
        *,
        scale: float = 100.0,
    ) -> None:
        if not prompts:
            raise ValueError("a classifier needs at least one label")
        self._encoder = encoder
        self._prompts = prompts
        self._scale = scale
        self._lock = asyncio.Lock()
        self._vectors: NDArray[np.float32] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self._prompts)

    async def vectors(self) -> NDArray[np.float32]:
        """The labels' vectors: shape (labels, dimension), unit norm; encoded at the first call."""
        async with self._lock:
            if self._vectors is None:
                means = await asyncio.gather(*map(self._mean, self._prompts.values()))
                self._vectors = np.stack(means)
        return self._vectors

    async def _mean(self, texts: Sequence[str]) -> Vector:
        encoded = await asyncio.gather(*(self._encoder.encode_text(text) for text in texts))
        mean = np.mean(encoded, axis=0, dtype=np.float32)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    async def probabilities(self, vector: Vector) -> dict[str, float]:
        """Label -> probability, summing to 1, for a picture's or text's unit vector."""
        logits = self._scale * ((await self.vectors()) @ vector)
        weights = np.exp(logits - logits.max())
        return dict(zip(self._prompts, (weights / weights.sum()).tolist(), strict=True))

    async def best(self, vector: Vector) -> tuple[str, float]:
        """The most probable label and its probability."""
        probabilities = await self.probabilities(vector)
        label = max(probabilities, key=probabilities.__getitem__)
        return label, probabilities[label]
