"""Encoders in the format of transformers: CLIP (FashionCLIP), SigLIP 1 and 2, DINOv2."""

from __future__ import annotations

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

from operators.models.batching_encoder import BatchingEncoder, BatchObserver
from operators.models.encoder_name import LOCAL, encoder_name
from operators.models.towers import Towers, no_patch_tokens, no_text_tower
from schemas.errors import Misconfigured
from schemas.settings import EncoderSettings

SCHEMA = "transformers:"


class _ImageTower:
    """What all families share: how pictures become numbers."""

    def __init__(self, model: Any, processor: Any, patch_size: int) -> None:
        self.model = model
        self._processor = processor
        self._patch_size = patch_size
        size = processor.crop_size if processor.do_center_crop else processor.size
        self.resolution: int = size["height"]
        self.mean, self.std = tuple(processor.image_mean), tuple(processor.image_std)
        # Not all that the processor can tell: what is not about numbers changes with the library.
        names = ("size", "crop_size", "do_center_crop", "resample", "rescale_factor")
        told = {name: getattr(processor, name, None) for name in names}
        sizes = {name: dict(told[name] or {}) for name in ("size", "crop_size")}
        told |= {name: {k: v for k, v in sizes[name].items() if v} for name in sizes}
        told["resample"] = int(processor.resample)
        self.preprocessing = str(sorted((told | {"mean": self.mean, "std": self.std}).items()))

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
    """What CLIP and SigLIP share."""

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

    def tokenize(self, text: str) -> torch.Tensor:
        """Without padding: the tower is causal and pools at the first end token."""
        ids = self._tokenizer(text, truncation=True, max_length=self._context)["input_ids"]
        return torch.tensor(ids)

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Every token takes the class token's way out (Zhou et al. 2022, MaskCLIP)."""
        vision = self.model.vision_model
        tokens = vision(pictures).last_hidden_state[:, 1:]
        return self._grid(self.model.visual_projection(vision.post_layernorm(tokens)))


class SiglipTowers(_TwoTowers):
    """Implements :class:`operators.models.towers.Towers` with SiglipModel, which is the class of
    SigLIP 2's fixed-resolution checkpoints too."""

    def tokenize(self, text: str) -> torch.Tensor:
        """In small letters and padded to the context: both generations were trained so, though
        not all their tokenizers do the first, and the text is pooled at the last position."""
        ids = self._tokenizer(
            text.lower(), truncation=True, padding="max_length", max_length=self._context
        )["input_ids"]
        return torch.tensor(ids)

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        raise no_patch_tokens("SigLIP")


class Dinov2Towers(_ImageTower):
    """Implements :class:`operators.models.towers.Towers` with Dinov2Model: pictures only."""

    reads_text = False

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor, model.config.patch_size)

    def tokenize(self, text: str) -> torch.Tensor:
        raise no_text_tower("DINOv2")

    def text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        raise no_text_tower("DINOv2")

    def image_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """The class token after the last norm, as the model's authors compare pictures."""
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
        """The model in ``local-dir:FOLDER`` or ``transformers:OWNER/NAME``; blocking.

        Weights on the hub come from its local cache or from the network; with HF_HUB_OFFLINE=1
        from the cache only. Raises Misconfigured when they cannot be had or are not complete.
        """
        try:
            towers = _load_towers(settings.model.removeprefix(LOCAL).removeprefix(SCHEMA))
        except Misconfigured:
            raise
        except Exception as error:
            # The libraries below raise anything from KeyError to HTTP errors here, and all of it
            # means the same: this model cannot be loaded.
            raise Misconfigured(
                f"encoder.model = {settings.model!r} cannot be loaded: {error}. Name a folder with "
                "config.json, model.safetensors, preprocessor_config.json and the tokenizer "
                "(local-dir:FOLDER), or fetch the weights once with network access and "
                "HF_HUB_OFFLINE unset (`looksync models fetch`)."
            ) from error
        return cls(encoder_name(settings.model), towers, settings, observe)


def _load_towers(source: str) -> Towers:
    """``source``: a folder or a repository on the hub."""
    family = AutoConfig.from_pretrained(source).model_type
    if family not in _ARCHITECTURES:
        raise Misconfigured(
            f"encoder.model: {source} is of type {family!r}; "
            f"{', '.join(_ARCHITECTURES)} can be loaded"
        )
    model, found = _ARCHITECTURES[family].from_pretrained(
        source, dtype=torch.float32, output_loading_info=True
    )
    # The library would start with random weights where the file has none.
    if absent := sorted(found["missing_keys"]):
        raise Misconfigured(
            f"encoder.model: the weights in {source} lack {len(absent)} tensors of "
            f"{type(model).__name__}, {absent[0]} for one: fetch them again"
        )
    images: Any = AutoImageProcessor
    # torchvision's arithmetic is what the library defaults to, and it leaves Python free to
    # prepare several pictures at once.
    processor = images.from_pretrained(source, backend="torchvision")
    if family == "dinov2":
        return Dinov2Towers(model, processor)
    towers = ClipTowers if family == "clip" else SiglipTowers
    return towers(model, processor, AutoTokenizer.from_pretrained(source))
