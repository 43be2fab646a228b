"""What a library of models has to offer, so that the batching encoder can do the rest."""

from __future__ import annotations

from typing import Protocol

import torch
from PIL.Image import Image

from schemas.errors import Misconfigured


class Towers(Protocol):
    """An image tower, and a text tower in the same space where there is one.

    ``prepare``, ``prepare_whole`` and ``tokenize`` run in other threads than the features, several
    at once. Features are computed where the model is, in its precision, and not yet normalised.
    """

    @property
    def model(self) -> torch.nn.Module: ...

    @property
    def preprocessing(self) -> str:
        """All that decides how a picture becomes numbers, part of the fingerprint."""
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
        """Per channel; what is left is divided by it."""
        ...

    @property
    def reads_text(self) -> bool: ...

    def prepare(self, image: Image) -> torch.Tensor:
        """Shape (3, resolution, resolution), float32, as the model was trained on pictures."""
        ...

    def prepare_whole(self, image: Image) -> torch.Tensor:
        """The same with nothing cropped away: patches must lie where they lie in the picture."""
        ...

    def tokenize(self, text: str) -> torch.Tensor:
        """Shape (tokens,), int64; texts of different lengths may be padded with any token.

        Raises Misconfigured when there is no text tower.
        """
        ...

    def image_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, resolution, resolution) -> (n, dimension)."""
        ...

    def text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, tokens) -> (n, dimension). Raises Misconfigured as :meth:`tokenize` does."""
        ...

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, resolution, resolution) -> (n, rows, columns, dimension).

        Raises Misconfigured when patch tokens have no way into the space of the embeddings.
        """
        ...


def no_text_tower(model: str) -> Misconfigured:
    """What to do with an encoder that reads pictures only."""
    return Misconfigured(
        f"{model} reads pictures only; ask by the region (matching.queries = 'region'), or choose "
        "an encoder with a text tower (`looksync models list`)",
        reason="no-text-tower",
    )


def no_patch_tokens(model: str) -> Misconfigured:
    """What to do with an encoder whose patches cannot be compared with texts."""
    return Misconfigured(
        f"{model} has no patch tokens in the joint space; choose an encoder that pools by its "
        "class token, not by attention",
        reason="no-patch-tokens",
    )
