"""Randomly initialised checkpoints, one per row of the encoder table, in the hub's format.

They have the architecture's own configuration with fewer and narrower layers. Dimension, resolution
and normalisation are those of the real model.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from safetensors.torch import save_file
from timm.models import VisionTransformer, register_model
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
    GemmaTokenizer,
    PreTrainedModel,
    SiglipConfig,
    SiglipModel,
    T5Tokenizer,
)

from operators.models.encoder_table import ENCODERS, EncoderDescription, known_encoder

CLIP_CONTEXT = 77
SIGLIP_CONTEXT = 64


@register_model
def vit_small_siglip_for_tests(pretrained: bool = False, **changes: Any) -> VisionTransformer:
    """timm's vit_base_patch16_siglip_224 with one narrow block."""
    model = timm.create_model("vit_base_patch16_siglip_224", pretrained=pretrained, **changes)
    assert isinstance(model, VisionTransformer)
    model.blocks = torch.nn.Sequential(model.blocks[0])
    return model


def write_checkpoint(name: str, folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint of the row called ``name`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    _WRITERS[name](known_encoder(name), folder)
    return folder


def _open_clip(architecture: str) -> Callable[[EncoderDescription, Path], None]:
    def write(row: EncoderDescription, folder: Path) -> None:
        config = copy.deepcopy(open_clip.get_model_config(architecture))
        vision, text = config["vision_cfg"], config["text_cfg"]
        if "timm_model_name" in vision:
            tokenizer = _unigram_tokenizer()
            tokenizer.save_pretrained(folder)
            vision["timm_model_name"] = "vit_small_siglip_for_tests"
            text |= {"layers": 1, "vocab_size": len(tokenizer)}
            preprocessing = {"interpolation": "bicubic", "resize_mode": "squash"}
        else:
            vision |= {"layers": 2, "width": 2 * vision.get("head_width", 64)}
            text |= {"layers": 1, "width": 16, "heads": 2}
            preprocessing = {}
        norm = row.normalisation
        described = {
            "model_cfg": config,
            "preprocess_cfg": {"mean": norm.mean, "std": norm.std, **preprocessing},
        }
        (folder / "open_clip_config.json").write_text(json.dumps(described))
        kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
        save_file(kind(**config).state_dict(), str(folder / "open_clip_model.safetensors"))

    return write


def _fashion_clip(row: EncoderDescription, folder: Path) -> None:
    tokenizer = CLIPTokenizer(vocab=_clip_vocabulary(), merges=[])
    tokenizer.save_pretrained(folder)
    layer = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    end = tokenizer.eos_token_id
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": CLIP_CONTEXT,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": end,
        "pad_token_id": end,
        "num_attention_heads": 2,
        **layer,
    }
    vision = {"image_size": row.resolution, "patch_size": 32, "num_attention_heads": 2, **layer}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=row.dimension)
    _save(CLIPModel(config), folder)
    _write_processor(
        row,
        folder,
        {
            "feature_extractor_type": "CLIPFeatureExtractor",
            "size": {"shortest_edge": row.resolution},
            "crop_size": {"height": row.resolution, "width": row.resolution},
            "do_center_crop": True,
            "resample": 3,
        },
    )


def _siglip2(row: EncoderDescription, folder: Path) -> None:
    tokenizer = GemmaTokenizer(vocab=_bytes_vocabulary(), merges=[])
    tokenizer.save_pretrained(folder)
    layer = {
        "hidden_size": row.dimension,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 12,
    }
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": SIGLIP_CONTEXT,
        "bos_token_id": None,
        "eos_token_id": None,
        **layer,
    }
    vision = {"image_size": row.resolution, "patch_size": 16, **layer}
    _save(SiglipModel(SiglipConfig(text_config=text, vision_config=vision)), folder)
    _write_processor(
        row,
        folder,
        {
            "image_processor_type": "SiglipImageProcessor",
            "size": {"height": row.resolution, "width": row.resolution},
            "resample": 2,
        },
    )


def _dinov2(row: EncoderDescription, folder: Path) -> None:
    config = Dinov2Config(
        hidden_size=row.dimension,
        num_hidden_layers=1,
        num_attention_heads=16,
        mlp_ratio=1,
        image_size=518,
        patch_size=14,
    )
    _save(Dinov2Model(config), folder)
    _write_processor(
        row,
        folder,
        {
            "image_processor_type": "BitImageProcessor",
            "size": {"shortest_edge": 256},
            "crop_size": {"height": row.resolution, "width": row.resolution},
            "do_center_crop": True,
            "resample": 3,
        },
    )


def _save(model: PreTrainedModel, folder: Path) -> None:
    model.save_pretrained(folder)


def _write_processor(row: EncoderDescription, folder: Path, specific: dict[str, Any]) -> None:
    common = {
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "rescale_factor": 1 / 255,
        "image_mean": row.normalisation.mean,
        "image_std": row.normalisation.std,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(common | specific))


def _clip_vocabulary() -> dict[str, int]:
    """Bytes, word-final bytes and the two special tokens, the end token last as in CLIP."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}


def _bytes_vocabulary() -> dict[str, int]:
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    return {token: number for number, token in enumerate(tokens)}


def _unigram_tokenizer() -> Any:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


_WRITERS: dict[str, Callable[[EncoderDescription, Path], None]] = {
    "ViT-H-14-laion2b-s32b-b79k": _open_clip("ViT-H-14"),
    "fashion-clip": _fashion_clip,
    "marqo-fashionCLIP": _open_clip("ViT-B-16"),
    "marqo-fashionSigLIP": _open_clip("ViT-B-16-SigLIP"),
    "siglip2-base-patch16-224": _siglip2,
    "siglip2-base-patch16-384": _siglip2,
    "dinov2-large": _dinov2,
}

LOADED = [row for row in ENCODERS if row.library != "vllm"]
"""Rows of models that run in this process."""
ON_HUB = [row.name for row in LOADED if row.on_hub]
