"""The interface between a model library and the batching encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from PIL.Image import Image

from schemas.errors import Misconfigured


class Towers(Protocol):
    """An image tower and, for most models, a text tower in the same space.

    ``prepare``, ``prepare_whole`` and ``tokenize`` are called concurrently from several threads,
    the features from another. Features are on the model's device, in its precision, and not
    normalised.
    """

    @property
    def model(self) -> torch.nn.Module: ...

    @property
    def preprocessing(self) -> str:
        """Every setting that affects the preprocessed values; part of the fingerprint."""
        ...

    @property
    def resolution(self) -> int:
        """Side of the model's square input, in pixels."""
        ...

    @property
    def mean(self) -> tuple[float, ...]:
        """Per channel, subtracted from values in 0..1."""
        ...

    @property
    def std(self) -> tuple[float, ...]:
        """Per channel, divided by after the mean has been subtracted."""
        ...

    @property
    def reads_text(self) -> bool: ...

    @property
    def finds_layers(self) -> bool:
        """Whether patches can be compared with texts."""
        ...

    def prepare(self, image: Image) -> torch.Tensor:
        """Shape (3, resolution, resolution), float32, preprocessed as in training."""
        ...

    def prepare_whole(self, image: Image) -> torch.Tensor:
        """Like :meth:`prepare` but without cropping, so that patches keep their place."""
        ...

    def tokenize(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """Per text, shape (tokens,), int64; to equal lengths they may be padded with any token.

        Raises Misconfigured if there is no text tower.
        """
        ...

    def image_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, resolution, resolution) -> (n, dimension)."""
        ...

    def text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, tokens) -> (n, dimension). Raises Misconfigured if there is no text tower."""
        ...

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, resolution, resolution) -> (n, rows, columns, dimension).

        Raises Misconfigured if patch tokens cannot be projected into the embeddings' space.
        """
        ...


def no_text_tower(model: str) -> Misconfigured:
    """The error of an encoder without a text tower."""
    return Misconfigured(
        f"{model} has no text tower; query by the region (matching.queries = 'region'), or choose "
        "an encoder with a text tower (`looksync models list`)",
        reason="no-text-tower",
    )


def no_patch_tokens(model: str) -> Misconfigured:
    """The error of an encoder whose patches cannot be compared with texts."""
    return Misconfigured(
        f"{model} has no patch tokens in the joint space; choose an encoder that pools with a "
        "class token, not with attention",
        reason="no-patch-tokens",
    )
