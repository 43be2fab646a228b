"""Batched inference with transformers: answers, and the likelihood of given answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForImageTextToText, AutoProcessor

_BATCH = 25
_LONGEST_ANSWER = 120  # tokens; descriptions of five layers take about 90

Question = tuple[Sequence[Image], str]
"""Pictures, and the text that follows them."""


class Answerer:
    """A folder's model; float32 on the CPU, greedy."""

    def __init__(self, folder: Path) -> None:
        self._processor: Any = AutoProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]
        self._processor.tokenizer.padding_side = "left"
        loaded: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        self._model = loaded.eval()

    def answers(self, questions: Sequence[Question]) -> list[str]:
        """The model's answers, in the order of the questions."""
        said: list[str] = []
        for start in range(0, len(questions), _BATCH):
            given = self._model_inputs([(q, None) for q in questions[start : start + _BATCH]])
            with torch.inference_mode():
                out = self._model.generate(**given, max_new_tokens=_LONGEST_ANSWER, do_sample=False)
            fresh = out[:, given["input_ids"].shape[1] :]
            said += self._processor.batch_decode(fresh, skip_special_tokens=True)
        return said

    def likelihoods(self, asked: Sequence[tuple[Question, str]]) -> list[float]:
        """Mean log probability of each answer's tokens, given its question."""
        out: list[float] = []
        for start in range(0, len(asked), _BATCH):
            part = asked[start : start + _BATCH]
            given = self._model_inputs(list(part))
            with torch.inference_mode():
                logits = self._model(**given).logits.float()
            chosen = functional.log_softmax(logits[:, :-1], -1)
            truth: Tensor = given["input_ids"][:, 1:]
            per_token = chosen.gather(-1, truth[..., None])[..., 0]
            for row, (_, answer) in zip(per_token, part, strict=True):
                own = len(self._processor.tokenizer(answer, add_special_tokens=False).input_ids)
                out.append(float(row[-own:].mean()))
        return out

    def _model_inputs(self, asked: Sequence[tuple[Question, str | None]]) -> dict[str, Tensor]:
        """Model inputs, padded on the left; an answer is left open for continuation."""
        texts, pictures = [], []
        for (images, text), answer in asked:
            content = [{"type": "image"} for _ in images] + [{"type": "text", "text": text}]
            messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
            if answer is not None:
                messages.append({"role": "assistant", "content": answer})
            texts.append(
                self._processor.apply_chat_template(
                    messages,
                    add_generation_prompt=answer is None,
                    continue_final_message=answer is not None,
                )
            )
            pictures += list(images)
        given: dict[str, Tensor] = self._processor(
            images=pictures, text=texts, padding=True, return_tensors="pt"
        )
        return given
