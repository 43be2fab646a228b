"""Florence-2 and SAM 2 of under 0.2 M parameters, in transformers' format on disk."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BartTokenizer,
    CLIPImageProcessor,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    Sam2Config,
    Sam2ImageProcessor,
    Sam2Model,
    Sam2Processor,
)

from operators.models.florence_sam2 import TASK

FLORENCE_SIDE = 64
SAM_SIDE = 128
STEPS = 120


def write_florence(folder: Path, answers: dict[str, str]) -> Path:
    """Train a model that gives each query's answer for any picture, and write it."""
    torch.manual_seed(0)
    processor = _florence_processor()
    tokenizer = processor.tokenizer
    width = 32
    ends = {
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.eos_token_id,
        "forced_eos_token_id": tokenizer.eos_token_id,
    }
    text = {
        "model_type": "bart",
        "d_model": width,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 2 * width,
        "decoder_ffn_dim": 2 * width,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 192,
        "dropout": 0.0,
        **ends,
    }
    vision = {
        "depths": (1, 1, 1, 1),
        "embed_dim": (8, 16, 24, width),
        "num_heads": (1, 1, 1, 1),
        "num_groups": (1, 1, 1, 1),
        "window_size": 2,
        "projection_dim": width,
        "drop_path_rate": 0.0,
    }
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.image_token_id, **ends
    )
    model = Florence2ForConditionalGeneration(config)
    _train(model, processor, answers)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def write_sam2(folder: Path) -> Path:
    """Write a randomly initialised model."""
    torch.manual_seed(0)
    backbone = {
        "image_size": [SAM_SIDE, SAM_SIDE],
        "hidden_size": 8,
        "embed_dim_per_stage": [8, 16, 32, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "num_attention_heads_per_stage": [1, 1, 1, 1],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    width = 32
    config = Sam2Config(
        vision_config={
            "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[SAM_SIDE // n] * 2 for n in (4, 8, 16)],
            "fpn_hidden_size": width,
        },
        prompt_encoder_config={"hidden_size": width, "image_size": SAM_SIDE},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": width,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": width,
        },
    )
    Sam2Model(config).save_pretrained(folder)
    images = Sam2ImageProcessor(
        size={"height": SAM_SIDE, "width": SAM_SIDE},
        mask_size={"height": SAM_SIDE // 4, "width": SAM_SIDE // 4},
    )
    Sam2Processor(image_processor=images).save_pretrained(folder)
    return folder


def _florence_processor() -> Any:
    letters = sorted(ByteLevel.alphabet())
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters]
    tokenizer = BartTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[],
        extra_special_tokens={"image_token": "<image>"},
    )
    tokenizer.add_tokens([f"<loc_{place}>" for place in range(1000)])
    square = {"height": FLORENCE_SIDE, "width": FLORENCE_SIDE}
    images: Any = CLIPImageProcessor(size=square, crop_size=square, do_center_crop=False)
    images.image_seq_length = 1 + (FLORENCE_SIDE // 32) ** 2
    return Florence2Processor(
        image_processor=images,
        tokenizer=tokenizer,
        post_processor_config={"phrase_grounding": {"banned_grounding_tokens": []}},
    )


def _train(model: Any, processor: Any, answers: dict[str, str]) -> None:
    pictures = [Image.new("RGB", (40, 60), "white")] * len(answers)
    inputs = processor(
        text=[TASK + query for query in answers],
        images=pictures,
        return_tensors="pt",
        padding=True,
    )
    labels = processor.tokenizer(
        list(answers.values()), return_tensors="pt", padding=True
    ).input_ids
    labels[labels == processor.tokenizer.pad_token_id] = -100
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(STEPS):
        loss = model.train()(**inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
