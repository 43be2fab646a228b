"""The loss of one step: the vision tower's read-outs and the language model's answers."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen3VLForConditionalGeneration

from sandbox.training.vlm.batches import Batch
from sandbox.training.vlm.conversations import Turn
from sandbox.training.vlm.forward import Language, PictureTokens, encode_pictures
from sandbox.training.vlm.heads import DepartmentHead, PatchHead, cover
from sandbox.world import COLOURS, PATTERNS, TYPES

_WORDS = sorted({*COLOURS, *PATTERNS, *TYPES}, key=len, reverse=True)
_HARD = re.compile(r"\b(" + "|".join(_WORDS) + r")\b")
_HARD_WEIGHT = 3.0
"""Types, colours and patterns are a few tokens of an answer; the rest is learned within a
minute."""
_HEADS_WEIGHT, _LANGUAGE_WEIGHT = 0.3, 3.0


class Learner(nn.Module):
    """The model with its read-outs."""

    def __init__(self, model: Qwen3VLForConditionalGeneration, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self.patch_head, self.department_head = PatchHead(), DepartmentHead()
        self._language = Language(model)
        self._tokenizer = tokenizer

    def forward(self, batch: Batch, language: bool, pairs: bool) -> tuple[Tensor, dict[str, float]]:
        """The loss and figures for the log. `language`: answers as well; `pairs`: also pairs."""
        seen = encode_pictures(self.model, batch.looks)
        worn = torch.from_numpy(batch.worn)
        read, right = self.department_head.loss(seen.tokens, worn)
        covered = cover(batch.labels, *seen.grid)
        patch = self.patch_head.loss(seen.tokens, covered, worn)
        if not language:
            return read + patch, {"patch": patch.item(), **right}
        squares = encode_pictures(self.model, batch.squares)
        look, token_right = self._answers([seen], batch.described)
        described, described_right = self._answers([squares], batch.descriptions)
        total = _HEADS_WEIGHT * (read + patch) + _LANGUAGE_WEIGHT * (look + 0.7 * described)
        shown = {
            **right,
            "look": look.item(),
            "look_right": token_right,
            "described_right": described_right,
        }
        if pairs:
            region = squares.rows([pair[0] for pair in batch.pairs])
            photo = squares.rows([pair[1] for pair in batch.pairs])
            judged, judged_right = self._answers([region, photo], [p[2] for p in batch.pairs])
            total = total + 0.5 * judged
            shown |= {"judge": judged.item(), "judge_right": judged_right}
        return total, shown

    def _answers(
        self, pictures: Sequence[PictureTokens], turns: Sequence[Turn]
    ) -> tuple[Tensor, float]:
        """Mean loss of the answers' tokens, and the share predicted correctly."""
        ids, labels, weights = self._tokens([seen.tokens.shape[1] for seen in pictures], turns)
        hidden = self._language.hidden(ids, pictures)[:, :-1]
        asked = labels[:, 1:] != -100
        logits = self.model.lm_head(hidden[asked]).float()
        truth, weight = labels[:, 1:][asked], weights[:, 1:][asked]
        losses = functional.cross_entropy(logits, truth, reduction="none")
        right = float((logits.argmax(-1) == truth).float().mean())
        return (losses * weight).sum() / weight.sum(), right

    def _tokens(
        self, lengths: Sequence[int], turns: Sequence[Turn]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids, labels (-100: ignored) and weights, (n, longest), padded on the right."""
        rows = []
        for turn in turns:
            before = prompt(lengths, turn.text)
            start = self._tokenizer(before, add_special_tokens=False).input_ids
            answer = self._tokenizer(
                turn.answer, add_special_tokens=False, return_offsets_mapping=True
            )
            hard = [match.span() for match in _HARD.finditer(turn.answer)]
            weight = [
                _HARD_WEIGHT if any(a < end and begin < b for a, b in hard) else 1.0
                for begin, end in answer.offset_mapping
            ]
            ended = [*answer.input_ids, self._tokenizer.eos_token_id]
            rows.append((start, ended, [*weight, 1.0]))
        longest = -(-max(len(start) + len(ended) for start, ended, _ in rows) // 4) * 4
        ids = torch.full((len(rows), longest), self._tokenizer.pad_token_id)
        labels, weights = torch.full_like(ids, -100), torch.zeros(ids.shape)
        for n, (start, ended, weight) in enumerate(rows):
            begin, end = len(start), len(start) + len(ended)
            ids[n, :end] = torch.tensor(start + ended)
            labels[n, begin:end] = torch.tensor(ended)
            weights[n, begin:end] = torch.tensor(weight)
        return ids, labels, weights


def prompt(lengths: Sequence[int], text: str) -> str:
    """The question as the chat template writes it; `lengths`: tokens of each picture."""
    pictures = "".join(
        "<|vision_start|>" + "<|image_pad|>" * length + "<|vision_end|>" for length in lengths
    )
    return f"<|im_start|>user\n{pictures}{text}<|im_end|>\n<|im_start|>assistant\n"
