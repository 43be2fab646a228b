"""The device and precision of a model."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from schemas.errors import Misconfigured

PREPARATION_THREADS = 8
"""Upper limit with a GPU. One core prepares a few hundred pictures per second, a GPU encodes
more."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the fastest precision on it."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, device: str) -> Placement:
        """Place a model on ``device``; ``auto`` takes the fastest one available.

        CPUs use float32. GPUs use bfloat16, whose range is float32's, so that no model overflows,
        or float16 where bfloat16 is not supported. Raises Misconfigured if ``device`` is missing.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
        if (device == "cuda" and not torch.cuda.is_available()) or (
            device == "mps" and not _has_mps()
        ):
            raise Misconfigured(
                f"device = {device!r}: torch {torch.__version__} finds no such device; use 'auto' "
                "or 'cpu'"
            )
        if device == "cuda":
            half = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
            return cls(torch.device(device), half)
        return cls(torch.device(device), torch.float16 if device == "mps" else torch.float32)

    @property
    def preparation_threads(self) -> int:
        """Threads that preprocess pictures; one on a CPU, where the model needs the other cores."""
        return 1 if self.device.type == "cpu" else min(PREPARATION_THREADS, os.cpu_count() or 1)

    def upload(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy ``tensor`` to the device, floating point values in the model's precision.

        The copy to CUDA is asynchronous, from pinned memory: it is queued behind the running
        kernels on the stream that all threads of the process share.
        """
        if tensor.is_floating_point():
            tensor = tensor.to(self.dtype)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
