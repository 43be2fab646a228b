"""Zero-shot classification: which of several descriptions fits a picture (or text) best."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.ports import ImageTextEncoder, Vector


class ZeroShotClassifier:
    """Labels, each with one or more prompts; a label's vector is the mean of its prompts'.

    As in Radford et al. 2021 (CLIP), section 3.1.4: prompt ensembles are averaged in the
    embedding space; probabilities are a softmax over cosines times ``scale`` (CLIP's learned
    logit scale, at most 100).
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
        """Shape (labels, dimension), unit norm; computed at the first call."""
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
        """Label -> probability for one unit vector; sums to 1."""
        logits = self._scale * ((await self.vectors()) @ vector)
        weights = np.exp(logits - logits.max())
        return dict(zip(self._prompts, (weights / weights.sum()).tolist(), strict=True))

    async def best(self, vector: Vector) -> tuple[str, float]:
        """The most probable label and its probability."""
        probabilities = await self.probabilities(vector)
        label = max(probabilities, key=probabilities.__getitem__)
        return label, probabilities[label]
