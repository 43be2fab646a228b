"""Image-text encoders loaded by open_clip: CLIP and its variants, timm towers, SigLIP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image

from operators.models.batching_encoder import BatchingEncoder, BatchObserver
from operators.models.encoder_name import LOCAL, OPEN_CLIP_FILE, encoder_name
from operators.models.local_tokenizer import Tokenize, local_tokenizer
from operators.models.open_clip_library import import_open_clip, read_config
from operators.models.towers import no_patch_tokens
from schemas.errors import Misconfigured
from schemas.settings import EncoderSettings


class OpenClipTowers:
    """Implements :class:`operators.models.towers.Towers`."""

    reads_text = True

    def __init__(
        self, model: torch.nn.Module, tokenize: Callable[[list[str]], torch.Tensor]
    ) -> None:
        """``model`` and ``tokenize`` as open_clip creates them."""
        # Imported by whoever created the model, perhaps in part (open_clip_library).
        from open_clip import CLIP
        from open_clip.transform import PreprocessCfg, image_transform_v2
        from open_clip.transformer import VisionTransformer, text_global_pool

        self.model: Any = model
        self._tokenize = tokenize
        self._text_global_pool = text_global_pool
        visual: Any = model.visual
        settings = PreprocessCfg(**visual.preprocess_cfg)
        self.prepare: Callable[[Image], torch.Tensor] = image_transform_v2(settings, is_train=False)
        self.prepare_whole: Callable[[Image], torch.Tensor] = image_transform_v2(
            replace(settings, resize_mode="squash"), is_train=False
        )
        self.preprocessing = str(sorted(asdict(settings).items()))
        # Towers that pool by attention have no projection for single tokens.
        self.finds_layers = isinstance(visual, VisionTransformer) and visual.attn_pool is None
        size = settings.size
        self.resolution: int = size if isinstance(size, int) else size[0]
        self.mean, self.std = tuple(settings.mean), tuple(settings.std)
        # With a causal mask and pooling at the end token, later tokens have no effect, so the
        # padding up to the context length need not be computed.
        self._skips_padding = (
            isinstance(model, CLIP)
            and model.attn_mask is not None
            and model.text_pool_type in ("argmax", "eos")
        )

    def tokenize(self, texts: Sequence[str]) -> list[torch.Tensor]:
        tokens = self._tokenize(list(texts))
        if not self._skips_padding:
            return list(tokens)
        if self.model.text_pool_type == "eos":
            ends = (tokens == self.model.text_eos_id).int().argmax(dim=1)
        else:
            ends = tokens.argmax(dim=1)
        return [row[: end + 1] for row, end in zip(tokens, ends.tolist(), strict=True)]

    def image_features(self, pictures: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_image(pictures)
        return features

    def text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        if not self._skips_padding:
            features: torch.Tensor = self.model.encode_text(tokens)
            return features
        return self._short_text_features(tokens)

    def patch_features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Apply the class token's norm and projection to every token, as Zhou et al. 2022
        (MaskCLIP) do for models with a global token."""
        visual = self.model.visual
        if not self.finds_layers:
            raise no_patch_tokens(f"this {type(self.model).__name__} with {type(visual).__name__}")
        tokens = visual.forward_intermediates(
            pictures,
            indices=1,
            normalize_intermediates=True,
            intermediates_only=True,
            output_fmt="NLC",
        )["image_intermediates"][0]
        if visual.proj is not None:
            tokens = tokens @ visual.proj
        rows, columns = visual.grid_size
        return torch.as_tensor(tokens.reshape(len(pictures), rows, columns, -1))

    def _short_text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        """``CLIP.encode_text`` for any number of tokens; the library's needs the full context."""
        model, length = self.model, tokens.shape[1]
        embedded = model.token_embedding(tokens) + model.positional_embedding[:length]
        hidden = model.ln_final(
            model.transformer(embedded, attn_mask=model.attn_mask[:length, :length])
        )
        pooled = self._text_global_pool(
            hidden, tokens, model.text_pool_type, eos_token_id=getattr(model, "text_eos_id", None)
        )
        projection = model.text_projection
        if projection is None:
            return torch.as_tensor(pooled)
        linear = isinstance(projection, torch.nn.Linear)
        return torch.as_tensor(projection(pooled) if linear else pooled @ projection)


class OpenClipEncoder(BatchingEncoder):
    """Implements :class:`operators.ports.ImageTextEncoder` with any model open_clip can load."""

    def __init__(
        self,
        name: str,
        model: torch.nn.Module,
        tokenize: Callable[[list[str]], torch.Tensor],
        settings: EncoderSettings,
        observe: BatchObserver | None = None,
    ) -> None:
        """``model`` as open_clip creates it, with weights; usually called by :meth:`load`."""
        super().__init__(name, OpenClipTowers(model, tokenize), settings, observe)

    @classmethod
    def load(
        cls, settings: EncoderSettings, observe: BatchObserver | None = None
    ) -> OpenClipEncoder:
        """Load ``settings.model`` with its weights; blocking.

        Weights of ``hf-hub:`` and ARCHITECTURE/PRETRAINED come from the libraries' local caches or
        from the network; with HF_HUB_OFFLINE=1 from the caches only. Raises Misconfigured if the
        model or its weights are missing.
        """
        architecture, pretrained = _source(settings.model)
        config = _config(settings.model)
        try:
            open_clip = import_open_clip(config)
            model = open_clip.create_model(
                architecture, pretrained=pretrained, require_pretrained=True
            )
            tokenize = _light_tokenizer(settings.model, config) or open_clip.get_tokenizer(
                architecture
            )
        except Exception as error:
            # The libraries raise anything from AssertionError to HTTP errors here; the cause is
            # the same.
            raise Misconfigured(
                f"encoder.model = {settings.model!r} cannot be loaded: {error}. Name a folder with "
                "open_clip_config.json and weights (local-dir:FOLDER), or fetch the weights once "
                "with network access and HF_HUB_OFFLINE unset (`looksync models fetch`)."
            ) from error
        return cls(encoder_name(settings.model), model, tokenize, settings, observe)


def _source(model: str) -> tuple[str, str | None]:
    """open_clip's ``model_name`` and ``pretrained``."""
    schema, _, folder = model.partition(":")
    if schema == "local-dir":
        if not (Path(folder) / OPEN_CLIP_FILE).is_file():
            raise Misconfigured(
                f"encoder.model = {model!r}: {folder}/{OPEN_CLIP_FILE} does not exist. Start in "
                "the project's folder, or set LOOKSYNC_ENCODER__MODEL to the folder of an "
                "open_clip model."
            )
        return model, None
    if schema == "hf-hub":
        return model, None
    architecture, slash, pretrained = model.partition("/")
    if not slash:
        raise Misconfigured(
            f"encoder.model = {model!r} names no weights; use ARCHITECTURE/PRETRAINED"
        )
    return architecture, pretrained


def _config(model: str) -> Mapping[str, Any] | None:
    """The configuration of a local folder, to import only what it needs; None elsewhere."""
    if not model.startswith(LOCAL):
        return None
    return read_config(Path(model.removeprefix(LOCAL)) / OPEN_CLIP_FILE)


def _light_tokenizer(model: str, config: Mapping[str, Any] | None) -> Tokenize | None:
    if config is None:
        return None
    from open_clip.tokenizer import get_clean_fn

    folder = Path(model.removeprefix(LOCAL))
    return local_tokenizer(folder, config["text_cfg"], get_clean_fn("whitespace"))
