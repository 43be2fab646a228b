"""The model: a Qwen3-VL of 5 M parameters with its own byte-level tokenizer.

Saved as a folder that transformers and vLLM load like any Qwen3-VL.
"""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from sandbox.training.vlm.conversations import describe_look, describe_product, judge, listwise
from sandbox.world import sample_outfit, visible

PATCH = 16
MERGE = 2
LOOK_SIZE = (128, 192)
"""Width and height of a look as model input: 24 tokens."""
PRODUCT_SIZE = (128, 128)
"""Of a product photograph or a region: 16 tokens."""
WIDTH = 160
VISION_WIDTH = 192
_VOCABULARY = 640
_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] in ('image', 'image_url') %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% if not (loop.last and continue_final_message) %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML as Qwen writes it; pictures keep their place in the message."""


def _corpus() -> Iterator[str]:
    rng = random.Random(0)
    yield from ["user\n", "assistant\n", "yes", "no"] * 50
    for _ in range(8000):
        shown = visible(sample_outfit(rng))
        for turn in (describe_look(shown), *(describe_product(g) for g in shown.values())):
            yield turn.text
            yield turn.answer
        for garment in shown.values():
            yield judge(garment, same=True).text
            yield listwise(garment, (2, 1, 3, 4)).text


def train_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over the model's own conversations; any text can be encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=4096,
        extra_special_tokens={
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_bos_token": "<|vision_start|>",
            "vision_eos_token": "<|vision_end|>",
        },
    )


def processor() -> Qwen3VLProcessor:
    """Tokenizer, chat template and picture sizes: 2:3 pictures are resized to LOOK_SIZE, squares to
    PRODUCT_SIZE."""
    most, least = LOOK_SIZE[0] * LOOK_SIZE[1], PRODUCT_SIZE[0] * PRODUCT_SIZE[1]
    pictures = Qwen2VLImageProcessor(
        patch_size=PATCH,
        temporal_patch_size=2,
        merge_size=MERGE,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": least, "longest_edge": most},
    )
    videos = Qwen3VLVideoProcessor(patch_size=PATCH, temporal_patch_size=2, merge_size=MERGE)
    return Qwen3VLProcessor(  # type: ignore[no-untyped-call]
        image_processor=pictures,
        tokenizer=train_tokenizer(),
        video_processor=videos,
        chat_template=_TEMPLATE,
    )


def config(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    """The model's configuration."""
    ids: dict[str, Any] = {s: tokenizer.convert_tokens_to_ids(s) for s in _SPECIAL}
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 448,
            "num_hidden_layers": 4,
            "num_attention_heads": 5,
            "num_key_value_heads": 5,
            "head_dim": 32,
            "max_position_embeddings": 4096,
            "rope_scaling": {
                "rope_type": "default",
                "mrope_section": [4, 6, 6],
                "mrope_interleaved": True,
            },
            "rope_theta": 10000.0,
            "tie_word_embeddings": True,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 5,
            "hidden_size": VISION_WIDTH,
            "intermediate_size": 576,
            "num_heads": 4,
            "in_channels": 3,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "out_hidden_size": WIDTH,
            "num_position_embeddings": 144,
            "deepstack_visual_indexes": [3],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build() -> tuple[Qwen3VLForConditionalGeneration, Qwen3VLProcessor]:
    """A new model, float32, and its processor."""
    made = processor()
    model: Any = Qwen3VLForConditionalGeneration(config(made.tokenizer))  # type: ignore[no-untyped-call]
    return model.float(), made


def save(model: Qwen3VLForConditionalGeneration, made: Qwen3VLProcessor, folder: Path) -> None:
    """Write weights in half precision, configuration and processor."""
    made.save_pretrained(folder)
    twin: Any = copy.deepcopy(model)
    twin.half().save_pretrained(folder)
