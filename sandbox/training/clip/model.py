"""The model: an open_clip CLIP of 4.4 M parameters with its own byte-level tokenizer.

Saved as a folder that open_clip's own factory loads: `create_model("local-dir:<folder>")`.
"""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from sandbox.training.clip.dataset import IMAGE_SIZE, Pixels
from sandbox.world import caption, sample_garment

PATCH = 16
GRID = IMAGE_SIZE // PATCH
EMBED_DIM = 128
WIDTH = 192
CONTEXT = 32
HEAT = 20.0
"""Scale from cosines of patches and label texts to segmentation logits."""
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_VOCABULARY = 900
_PAD, _BEGIN, _END = "<pad>", "<s>", "</s>"


def train_tokenizer(folder: Path) -> int:
    """Train and save the tokenizer; returns the size of its vocabulary.

    Byte-level with the whole byte alphabet: any text can be encoded.
    """
    rng = random.Random(0)
    corpus = [caption(sample_garment(rng), rng) for _ in range(20_000)]
    corpus += ["background", "skin", "hair"] * 50
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[_PAD, _BEGIN, _END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A {_END}", special_tokens=[(_BEGIN, 1), (_END, 2)]
    )
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=_BEGIN,
        eos_token=_END,
        pad_token=_PAD,
        model_max_length=CONTEXT,
    )
    folder.mkdir(parents=True, exist_ok=True)
    fast.save_pretrained(str(folder))
    return len(fast)


def config(vocabulary: int) -> dict[str, Any]:
    """The model's configuration in open_clip's format."""
    return {
        "embed_dim": EMBED_DIM,
        "vision_cfg": {
            "image_size": IMAGE_SIZE,
            "patch_size": PATCH,
            "width": WIDTH,
            "layers": 6,
            "head_width": 64,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": vocabulary,
            "hf_tokenizer_name": "local",
            "width": WIDTH,
            "heads": 3,
            "layers": 3,
            "pool_type": "eos",
            "eos_id": 2,
            "pad_id": 0,
        },
    }


def build(folder: Path) -> tuple[torch.nn.Module, Any]:
    """A new model and its tokenizer; the folder receives configuration and tokenizer files."""
    model_config = config(train_tokenizer(folder))
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bilinear", "resize_mode": "squash"}
    text = json.dumps({"model_cfg": model_config, "preprocess_cfg": preprocess}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    return open_clip.CLIP(**model_config), tokenizer


def save(model: torch.nn.Module, folder: Path) -> None:
    """Write the weights in half precision."""
    state = {
        name: value.half().contiguous() if value.is_floating_point() else value.contiguous()
        for name, value in model.state_dict().items()
    }
    partial = folder / "open_clip_model.partial"
    save_file(state, str(partial))
    partial.chmod(0o644)
    partial.rename(folder / "open_clip_model.safetensors")


def to_tensor(pictures: Pixels) -> Tensor:
    """(n, 112, 112, 3) uint8 to (n, 3, 112, 112) float32 in -1..1: mean and std of one half."""
    batch = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2)
    return batch.float().div_(127.5).sub_(1.0)


def image_and_patches(model: torch.nn.Module, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Image embeddings (n, 128), patch embeddings (n, 49, 128), and tokens (n, 50, 192).

    Patch embeddings pass the same final norm and projection as the image embedding, so they share
    its space with texts. None is normalised to length 1.
    """
    visual: Any = model.visual
    tokens = visual.ln_post(visual.transformer(visual._embeds(images)))
    projected = tokens @ visual.proj
    return projected[:, 0], projected[:, 1:], tokens


def whiten_patches(model: torch.nn.Module, pictures: Pixels, rng: np.random.Generator) -> None:
    """Initialise the patch embedding with the whitened principal components of the data, which
    random filters would take minutes of training to learn.
    """
    visual: Any = model.visual
    n, size = len(pictures), PATCH
    patches = []
    for _ in range(20_000):
        i, y, x = rng.integers(n), *rng.integers(0, IMAGE_SIZE - size, 2)
        patch = pictures[i, y : y + size, x : x + size].astype(np.float32) / 127.5 - 1
        patches.append(patch.transpose(2, 0, 1).ravel())
    samples = torch.from_numpy(np.stack(patches))
    samples = samples[samples.view(len(samples), 3, -1).std(-1).amax(1) > 0.03]
    mean = samples.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((samples - mean).T.double()))
    values, vectors = values.flip(0)[:WIDTH], vectors.flip(1)[:, :WIDTH]
    filters = (vectors / (values + 0.02 * values[3]).sqrt() * 0.7).T.float()
    with torch.no_grad():
        visual.conv1.weight.copy_(filters.view(WIDTH, 3, size, size))
        visual.positional_embedding[1:] -= filters @ mean
