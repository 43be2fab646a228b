"""Randomly initialised open_clip models of under a million parameters."""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

TINY: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {
        "context_length": 12,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    },
}


def write_model(folder: Path, config: dict[str, Any], seed: int = 0) -> Path:
    """Write weights and configuration in open_clip's format into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    description = {"model_cfg": config, "preprocess_cfg": {"resize_mode": "shortest"}}
    (folder / "open_clip_config.json").write_text(json.dumps(description))
    weights = open_clip.CLIP(**config).state_dict()
    save_file(weights, str(folder / "open_clip_model.safetensors"))
    return folder
