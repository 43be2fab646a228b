"""Where a model computes, in which precision, and how data gets there."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from schemas.errors import Misconfigured

PREPARATION_THREADS = 8
"""At most, beside a GPU: one core prepares a few hundred pictures a second, a GPU takes more."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the precision that pays on it."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, device: str) -> Placement:
        """``auto``: the best there is. GPUs compute in half the bits, CPUs in float32.

        bfloat16 keeps float32's range, so no model overflows in it; float16 where the GPU has no
        bfloat16. Raises Misconfigured when ``device`` is not there.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
        if (device == "cuda" and not torch.cuda.is_available()) or (
            device == "mps" and not _has_mps()
        ):
            raise Misconfigured(
                f"device = {device!r}: torch {torch.__version__} finds none on this machine; "
                "use 'auto' or 'cpu'"
            )
        if device == "cuda":
            half = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
            return cls(torch.device(device), half)
        return cls(torch.device(device), torch.float16 if device == "mps" else torch.float32)

    @property
    def preparation_threads(self) -> int:
        """Threads that make pictures ready: on a CPU the model needs the other cores itself."""
        return 1 if self.device.type == "cpu" else min(PREPARATION_THREADS, os.cpu_count() or 1)

    def upload(self, tensor: torch.Tensor) -> torch.Tensor:
        """``tensor`` on the device, floating point values in the model's precision.

        To CUDA from pinned memory and without waiting: the copy is queued behind the kernels that
        run, in the order of the one stream that all threads of the process share.
        """
        if tensor.is_floating_point():
            tensor = tensor.to(self.dtype)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
