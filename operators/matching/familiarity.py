"""Whether a picture is like those that the encoder was trained on.

The sandbox's encoder knows drawn garments only; of a photograph it claims things that mean nothing.
A picture's distance is the mean Mahalanobis distance of its patches from those of training pictures
(Lee et al. 2018, A Simple Unified Framework for Detecting Out-of-Distribution Samples, with one
class). Encoders without ``familiar.npz`` next to their weights were trained on photographs of the
web, and no picture is unfamiliar to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.ports import ImageTextEncoder
from schemas.errors import Misconfigured

FILE_NAME = "familiar.npz"

RIDGE = 1e-4
"""Added to the variances: dimensions that hardly vary would outweigh all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """The distribution of the patches of familiar pictures."""

    mean: NDArray[np.float32]
    """Shape (dimension,)."""
    precision: NDArray[np.float32]
    """Inverse covariance, shape (dimension, dimension)."""
    farthest: float
    """Pictures at a larger distance are unfamiliar."""

    @classmethod
    def fit(cls, patches: NDArray[np.float32], farthest: float = np.inf) -> Self:
        """``patches``: those of many familiar pictures, shape (patches, dimension)."""
        covariance = np.cov(patches, rowvar=False) + RIDGE * np.eye(patches.shape[1])
        precision = np.linalg.inv(covariance).astype(np.float32)
        return cls(patches.mean(0).astype(np.float32), precision, farthest)

    def distance(self, patches: NDArray[np.float32]) -> float:
        """``patches``: of one picture, shape (rows, columns, dimension) or (patches, dimension)."""
        away = patches.reshape(-1, patches.shape[-1]) - self.mean
        squares = ((away @ self.precision) * away).sum(1)
        return float(np.sqrt(np.maximum(squares, 0)).mean())

    async def knows(self, picture: Image, encoder: ImageTextEncoder) -> bool:
        """Whether the picture is familiar."""
        return self.distance(await encoder.encode_patches(picture)) <= self.farthest

    def save(self, path: Path) -> None:
        """Write the distribution to ``path``."""
        np.savez_compressed(
            path,
            mean=self.mean,
            precision=self.precision,
            farthest=np.float32(self.farthest),
        )

    @classmethod
    def of_encoder(cls, model: str) -> Self | None:
        """Read the file next to the weights of ``model`` (as in EncoderSettings); None without one.

        Raises Misconfigured when the file exists but cannot be read.
        """
        folder = model.removeprefix("local-dir:")
        path = Path(folder) / FILE_NAME
        if folder == model or not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                mean = stored["mean"]
                return cls(mean, stored["precision"], float(stored["farthest"]))
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise Misconfigured(f"{path}: {error}") from error
