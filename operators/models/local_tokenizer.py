"""Tokenizers of which tokenizer.json says everything, read without transformers.

transformers takes two seconds to import, and adds nothing to these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

_CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")
_UNDERSTOOD = {
    "backend",
    "bos_token",
    "eos_token",
    "model_max_length",
    "pad_token",
    "tokenizer_class",
    "unk_token",
}
"""Settings that tokenizer.json holds as well, or that open_clip sets itself."""

Tokenize = Callable[[Sequence[str]], torch.Tensor]
"""Texts to int64 token ids, shape (texts, context length)."""


def local_tokenizer(
    folder: Path, text_config: Mapping[str, Any], clean: Callable[[str], str]
) -> Tokenize | None:
    """What open_clip's HFTokenizer does with ``folder``; None where that takes transformers.

    ``clean`` is applied to each text first. Longer texts are cut, shorter ones padded.
    """
    settings = _settings(folder)
    if settings is None or not text_config.get("hf_tokenizer_name"):
        return None
    length = text_config.get("context_length")
    if length is None or text_config.get("tokenizer_kwargs") or text_config.get("tokenizer_mode"):
        return None
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pad = settings["pad_token"]
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=tokenizer.token_to_id(pad), pad_token=pad)

    def tokenize(texts: Sequence[str]) -> torch.Tensor:
        encoded = tokenizer.encode_batch([clean(text) for text in texts])
        return torch.tensor([one.ids for one in encoded])

    return tokenize


def _settings(folder: Path) -> dict[str, Any] | None:
    """The tokenizer's settings, if all of them are understood here."""
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_bytes())
    except (OSError, ValueError):
        return None
    understood = (
        isinstance(settings, dict)
        and settings.get("tokenizer_class") in _CLASSES
        and isinstance(settings.get("pad_token"), str)
        and settings.keys() <= _UNDERSTOOD
        and (folder / "tokenizer.json").is_file()
    )
    return settings if understood else None
