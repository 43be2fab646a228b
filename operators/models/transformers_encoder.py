"""Encoders loaded by transformers: CLIP (FashionCLIP), SigLIP 1 and 2, DINOv2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoTokenizer,
    CLIPModel,
    Dinov2Model,
    SiglipModel,
)
from transformers.utils.logging import disable_progress_bar

from operators.models.batching_encoder import BatchingEncoder, BatchObserver
from operators.models.encoder_name import LOCAL, TRANSFORMERS, encoder_name
from operators.models.towers import Towers, no_patch_tokens, no_text_tower
from schemas.errors import Misconfigured
from schemas.settings import EncoderSettings


class _ImageTower:
    """Preprocessing, shared by all families."""

    def __init__(self, model: Any, processor: Any, patch_size: int) -> None:
        self.model = model
        self._processor = processor
        self._patch_size = patch_size
        size = processor.crop_size if processor.do_center_crop else processor.size
        self.resolution: int = size["height"]
        self.mean, self.std = tuple(processor.image_mean), tuple(processor.image_std)
        # Only settings that affect the values; the others change with the library's version.
        names = ("size", "crop_size", "do_center_crop", "resample", "rescale_factor")
        described = {name: getattr(processor, name, None) for name in names}
        sizes = {name: dict(described[name] or {}) for name in ("size", "crop_size")}
        described |= {name: {k: v for k, v in sizes[name].items() if v} for name in sizes}
        described["resample"] = int(processor.resample)
        described |= {"mean": self.mean, "std": self.std}
        self.preprocessing = str(sorted(described.items()))

    def prepare(self, image: Image) -> torch.Tensor:
        pixels: torch.Tensor = self._processor(image, return_tensors="pt")["pixel_values"][0]
        return pixels

    def prepare_whole(self, image: Image) -> torch.Tensor:
        square = {"height": self.resolution, "width": self.resolution}
        pixels: torch.Tensor = self._processor(
            image, size=square, do_center_crop=False, return_tensors="pt"
        )["pixel_values"][0]
        return pixels

    def _grid(self, tokens: torch.Tensor) -> torch.Tensor:
        side = self.resolution // self._patch_size
        return tokens.reshape(len(tokens), side, side, -1)


class _TwoTowers(_ImageTower):
    """The features shared by CLIP and SigLIP."""

    reads_text = True

    def __init__(self, model: Any, processor: Any, tokenizer: Any) -> None:
        super().__init__(model, processor, model.config.vision_config.patch_size)
        self._tokenizer = tokenizer
        self._context = model.config.text_config.max_position_embeddings

    def image_features(self, pictures: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.get_image_features(pictures).pooler_output
        return features

    def text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.get_text_features(tokens).pooler_output
        return features


class ClipTowers(_TwoTowers):
    """Implements :class:`operators.models.towers.Towers` with CLIPModel."""

    finds_layers = True

    def tokenize(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """Without padding, as the tower is causal and pools at the first end token."""
        ids = self._tokenizer(list(texts), truncation=True, max_length=self._context)["input_ids"]
        return list(map(torch.tensor, ids))

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Apply the class token's norm and projection to every token (Zhou et al. 2022,
        MaskCLIP)."""
        vision = self.model.vision_model
        tokens = vision(pictures).last_hidden_state[:, 1:]
        return self._grid(self.model.visual_projection(vision.post_layernorm(tokens)))


class SiglipTowers(_TwoTowers):
    """Implements :class:`operators.models.towers.Towers` with SiglipModel, also the class of
    SigLIP 2's fixed-resolution checkpoints."""

    finds_layers = False

    def tokenize(self, texts: Sequence[str]) -> list[torch.Tensor]:
        """In lower case and padded to the context length, as both generations were trained; the
        tower pools at the last position, and not every tokenizer lowers the case itself."""
        lower = [text.lower() for text in texts]
        ids = self._tokenizer(
            lower, truncation=True, padding="max_length", max_length=self._context
        )["input_ids"]
        return list(torch.tensor(ids))

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        raise no_patch_tokens("SigLIP")


class Dinov2Towers(_ImageTower):
    """Implements :class:`operators.models.towers.Towers` with Dinov2Model, without a text tower."""

    reads_text = False
    finds_layers = False

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor, model.config.patch_size)

    def tokenize(self, texts: Sequence[str]) -> list[torch.Tensor]:
        raise no_text_tower("DINOv2")

    def text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        raise no_text_tower("DINOv2")

    def image_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """The class token after the last norm, which the model's authors use for retrieval."""
        features: torch.Tensor = self.model(pictures).pooler_output
        return features

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        return self._grid(self.model(pictures).last_hidden_state[:, 1:])


_ARCHITECTURES: dict[str, Any] = {"clip": CLIPModel, "siglip": SiglipModel, "dinov2": Dinov2Model}
"""``model_type`` of config.json -> the library's class."""


class TransformersEncoder(BatchingEncoder):
    """Implements :class:`operators.ports.ImageTextEncoder` with transformers' own classes."""

    @classmethod
    def load(
        cls, settings: EncoderSettings, observe: BatchObserver | None = None
    ) -> TransformersEncoder:
        """Load ``local-dir:FOLDER`` or ``transformers:OWNER/NAME``; blocking.

        Weights on the hub come from its local cache or from the network; with HF_HUB_OFFLINE=1
        from the cache only. Raises Misconfigured if they are missing or incomplete.
        """
        try:
            towers = _load_towers(settings.model.removeprefix(LOCAL).removeprefix(TRANSFORMERS))
        except Misconfigured:
            raise
        except Exception as error:
            # The libraries raise anything from KeyError to HTTP errors here; the cause is the same.
            raise Misconfigured(
                f"encoder.model = {settings.model!r} cannot be loaded: {error}. Name a folder with "
                "config.json, model.safetensors, preprocessor_config.json and the tokenizer "
                "(local-dir:FOLDER), or fetch the weights once with network access and "
                "HF_HUB_OFFLINE unset (`looksync models fetch`)."
            ) from error
        return cls(encoder_name(settings.model), towers, settings, observe)


def _load_towers(source: str) -> Towers:
    """Load from ``source``, a folder or a repository on the hub. Raises Misconfigured."""
    # It would be drawn into the output of a command.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    family = AutoConfig.from_pretrained(source).model_type
    if family not in _ARCHITECTURES:
        raise Misconfigured(
            f"encoder.model: {source} has the unsupported type {family!r}; supported are "
            f"{', '.join(_ARCHITECTURES)}"
        )
    model, found = _ARCHITECTURES[family].from_pretrained(
        source, dtype=torch.float32, output_loading_info=True
    )
    # The library initialises missing weights randomly.
    if missing := sorted(found["missing_keys"]):
        raise Misconfigured(
            f"encoder.model: the weights in {source} lack {len(missing)} tensors of "
            f"{type(model).__name__}, such as {missing[0]}: fetch them again"
        )
    images: Any = AutoImageProcessor
    # torchvision is the library's default and releases the GIL, so that several pictures are
    # prepared at once.
    processor = images.from_pretrained(source, backend="torchvision")
    if family == "dinov2":
        return Dinov2Towers(model, processor)
    towers = ClipTowers if family == "clip" else SiglipTowers
    return towers(model, processor, AutoTokenizer.from_pretrained(source))
