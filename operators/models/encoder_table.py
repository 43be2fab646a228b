"""The table of image-text encoders; a new encoder is a new row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from operators.models.sandbox_weights import SANDBOX_ENCODER, sandbox_weights
from schemas.errors import Misconfigured

Library: TypeAlias = Literal["open_clip", "transformers", "vllm"]
"""What loads a model; vllm: a server that is asked."""
Channels: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Per channel, of values in 0..1: subtract the mean, divide by the standard deviation."""

    name: str
    mean: Channels
    std: Channels


CLIP = Normalisation(
    "CLIP", (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
)
IMAGENET = Normalisation("ImageNet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Normalisation("half", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True)
class EncoderDescription:
    """What is known about a model before it is loaded; `looksync models fetch` verifies it."""

    name: str
    """The value of ``encoder.model``."""
    library: Library
    checkpoint: str
    """Its repository on the hub (owner/name), or the folder shipped with the project."""
    dimension: int
    resolution: int
    """Side of the square input, in pixels; vllm: the longest side that is sent."""
    normalisation: Normalisation
    reads_text: bool
    """False: the model has an image tower only, and is queried with the region."""
    finds_layers: bool
    """False: its patches cannot be compared with words, so another part has to find layers."""
    gflops: float
    """Per picture, image tower only (vllm: the whole model); a multiply-add counts as 2. Counted by
    torch.utils.flop_counter (tests/models/test_encoder_table.py)."""
    licence: str
    """Of the weights, from their model card."""

    @property
    def on_hub(self) -> bool:
        return self.checkpoint != SHIPPED

    @property
    def source(self) -> str:
        """The value of ``encoder.model`` that names the checkpoint directly."""
        if not self.on_hub:
            return self.checkpoint
        return f"{_PREFIX[self.library]}:{self.checkpoint}"

    @property
    def relative_cost(self) -> float:
        """Cost per picture relative to ViT-B/32 (FashionCLIP's image tower)."""
        return self.gflops / VIT_B_32_GFLOPS


_PREFIX: dict[Library, str] = {
    "open_clip": "hf-hub",
    "transformers": "transformers",
    "vllm": "vllm",
}

SHIPPED = f"local-dir:{sandbox_weights('clip')}"
"""The sandbox's encoder, the default of the settings."""

VIT_B_32_GFLOPS = 8.818

ENCODERS: tuple[EncoderDescription, ...] = (
    EncoderDescription(
        name="ViT-H-14-laion2b-s32b-b79k",
        library="open_clip",
        checkpoint="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        dimension=1024,
        resolution=224,
        normalisation=CLIP,
        reads_text=True,
        finds_layers=True,
        gflops=334.590,
        licence="MIT",
    ),
    EncoderDescription(
        name="fashion-clip",
        library="transformers",
        checkpoint="patrickjohncyh/fashion-clip",
        dimension=512,
        resolution=224,
        normalisation=CLIP,
        reads_text=True,
        finds_layers=True,
        gflops=8.818,
        licence="MIT",
    ),
    EncoderDescription(
        name="marqo-fashionCLIP",
        library="open_clip",
        checkpoint="Marqo/marqo-fashionCLIP",
        dimension=512,
        resolution=224,
        normalisation=CLIP,
        reads_text=True,
        finds_layers=True,
        gflops=35.127,
        licence="Apache-2.0",
    ),
    EncoderDescription(
        name="marqo-fashionSigLIP",
        library="open_clip",
        checkpoint="Marqo/marqo-fashionSigLIP",
        dimension=768,
        resolution=224,
        normalisation=HALF,
        reads_text=True,
        finds_layers=False,
        gflops=35.417,
        licence="Apache-2.0",
    ),
    EncoderDescription(
        name="siglip2-base-patch16-224",
        library="transformers",
        checkpoint="google/siglip2-base-patch16-224",
        dimension=768,
        resolution=224,
        normalisation=HALF,
        reads_text=True,
        finds_layers=False,
        gflops=35.417,
        licence="Apache-2.0",
    ),
    EncoderDescription(
        name="siglip2-base-patch16-384",
        library="transformers",
        checkpoint="google/siglip2-base-patch16-384",
        dimension=768,
        resolution=384,
        normalisation=HALF,
        reads_text=True,
        finds_layers=False,
        gflops=112.127,
        licence="Apache-2.0",
    ),
    EncoderDescription(
        name="Qwen3-VL-Embedding-2B",
        library="vllm",
        checkpoint="Qwen/Qwen3-VL-Embedding-2B",
        dimension=2048,
        resolution=512,
        normalisation=HALF,
        reads_text=True,
        finds_layers=False,
        gflops=1601.2,
        licence="Apache-2.0",
    ),
    EncoderDescription(
        name="Qwen3-VL-Embedding-8B",
        library="vllm",
        checkpoint="Qwen/Qwen3-VL-Embedding-8B",
        dimension=4096,
        resolution=512,
        normalisation=HALF,
        reads_text=True,
        finds_layers=False,
        gflops=5079.3,
        licence="Apache-2.0",
    ),
    EncoderDescription(
        name="dinov2-large",
        library="transformers",
        checkpoint="facebook/dinov2-large",
        dimension=1024,
        resolution=224,
        normalisation=IMAGENET,
        reads_text=False,
        finds_layers=False,
        gflops=162.024,
        licence="Apache-2.0",
    ),
    EncoderDescription(
        name=SANDBOX_ENCODER,
        library="open_clip",
        checkpoint=SHIPPED,
        dimension=128,
        resolution=112,
        normalisation=HALF,
        reads_text=True,
        finds_layers=True,
        gflops=0.291,
        licence="Apache-2.0",
    ),
)


def known_encoder(name: str) -> EncoderDescription:
    """The row called ``name``. Raises Misconfigured if there is none."""
    for row in ENCODERS:
        if row.name == name:
            return row
    raise Misconfigured(
        f"unknown encoder {name!r}; known are {', '.join(row.name for row in ENCODERS)}"
    )


def encoder_source(model: str) -> str:
    """``model`` in the loaders' format: the name of a row is replaced by its source."""
    name = model.removeprefix("vllm:")
    return next((row.source for row in ENCODERS if row.name == name), model)
