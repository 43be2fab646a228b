"""A vision-language model in this process: transformers, with decoding constrained by xgrammar.

It uses the same prompts, schemas and repairs as the client of a server. Meant for small models on a
laptop, where a separate server would cost more than the model.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

import PIL.Image
import torch
import xgrammar
from PIL.Image import Image
from pydantic import BaseModel
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils.logging import disable_progress_bar
from xgrammar.contrib.hf import LogitsProcessor

from operators.batcher import MicroBatcher
from operators.budget import Budget
from operators.models.vlm.answers import AnswerParser, OnRepair, Order, description_type, schema_of
from operators.models.vlm.deferred import fingerprint_of, model_folder, unloadable
from operators.models.vlm.prompts import Prompts, fill_in
from operators.ports import LayerDescription, Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

Item = TypeVar("Item")
Result = TypeVar("Result")

_MAX_ORDER_TOKENS = 64
"""Enough for twenty numbers with commas. A model not trained to order lists runs to the limit."""

_YES, _NO = ("yes", "Yes", " yes", " Yes"), ("no", "No", " no", " No")


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """Pictures, the text with them, and the answer whose likelihood is requested, if any."""

    pictures: tuple[Image, ...]
    text: str
    answer: str | None = None


class EmbeddedVisionModel:
    """Implements :class:`operators.ports.VisionLanguageModel`: float32 on the CPU, greedy decoding.

    Concurrent calls share batches; the model runs in a thread of its own. Use from one event loop.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        fingerprint: str,
        settings: VlmSettings,
        taxonomy: Taxonomy,
        on_repair: OnRepair,
    ) -> None:
        """``model`` and ``processor`` as loaded by transformers."""
        self._model = model
        self._processor = processor
        self._processor.tokenizer.padding_side = "left"
        self._settings = settings
        self._prompts = Prompts.load(settings.prompts)
        self._parser = AnswerParser(taxonomy, on_repair)
        self._fingerprint = fingerprint
        self._grammars = _Grammars(model, processor)
        self._thread = ThreadPoolExecutor(1, "vlm")
        described = description_type(boxes=self._prompts.asks_for_boxes)
        self._descriptions = self._batcher(partial(self._generate, described))
        self._orders = self._batcher(partial(self._generate, Order))
        self._likelihoods = self._batcher(self._score_likelihoods)
        self._pair_scores = self._batcher(self._score_pairs)

    @classmethod
    def load(
        cls,
        settings: VlmSettings,
        taxonomy: Taxonomy,
        on_repair: OnRepair,
        fingerprint: str | None = None,
    ) -> Self:
        """Load ``settings.model``, a folder or ``sandbox-vlm``. Raises Misconfigured on failure.

        ``fingerprint``: that of the folder, if it is known: all weights are read for it.
        """
        folder = model_folder(settings)
        fingerprint = fingerprint or fingerprint_of(settings)
        # It would be drawn into the output of a command.
        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True)  # type: ignore[no-untyped-call]
            model: Any = AutoModelForImageTextToText.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise unloadable(settings, error) from error
        return cls(model.eval(), processor, fingerprint, settings, taxonomy, on_repair)

    @property
    def fingerprint(self) -> str:
        """Weights and set of prompts: both determine the answers."""
        return self._fingerprint

    @property
    def finds_layers(self) -> bool:
        return self._prompts.asks_for_boxes

    async def close(self) -> None:
        for batcher in (self._descriptions, self._orders, self._likelihoods, self._pair_scores):
            await batcher.close()
        await asyncio.to_thread(self._thread.shutdown)

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        images = tuple(picture.image for picture in pictures[: self._prompts.max_pictures])
        question = _Question(images, self._prompts.describe)
        async with budget.enforced("vlm"):
            return self._parser.parse_description(await self._descriptions.submit(question))

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        async with budget.enforced("vlm"):
            images = [PIL.Image.open(io.BytesIO(data)).convert("RGB") for data in candidates]
            match method:
                case RerankMethod.LISTWISE:
                    text = fill_in(self._prompts.listwise, query)
                    answer = await self._orders.submit(_Question((region, *images), text))
                    return self._parser.parse_order(answer, len(images))
                case RerankMethod.POINTWISE:
                    text = fill_in(self._prompts.pointwise, query)
                    questions = [_Question((region, image), text) for image in images]
                    return list(await asyncio.gather(*map(self._pair_scores.submit, questions)))
                case RerankMethod.LIKELIHOOD:
                    text = self._prompts.likelihood
                    questions = [_Question((image,), text, query) for image in images]
                    return list(await asyncio.gather(*map(self._likelihoods.submit, questions)))
                case _:
                    raise ValueError(f"a model cannot rerank by {method}")

    def _batcher(
        self, compute: Callable[[Sequence[Item]], list[Result]]
    ) -> MicroBatcher[Item, Result]:
        async def process(items: Sequence[Item]) -> list[Result]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, compute, items)

        batches = self._settings.batches
        return MicroBatcher(process, max_size=batches.max_size, max_wait_ms=batches.max_wait_ms)

    @torch.inference_mode()
    def _generate(self, answer: type[BaseModel], questions: Sequence[_Question]) -> list[str]:
        inputs = self._inputs(questions)
        max_tokens = _MAX_ORDER_TOKENS if answer is Order else self._settings.longest_description
        out = self._model.generate(
            **inputs,
            max_new_tokens=max_tokens,
            do_sample=False,
            logits_processor=[self._grammars.constraint(answer)],
        )
        generated = out[:, inputs["input_ids"].shape[1] :]
        texts: list[str] = self._processor.batch_decode(generated, skip_special_tokens=True)
        return texts

    @torch.inference_mode()
    def _score_likelihoods(self, questions: Sequence[_Question]) -> list[float]:
        """Per question the geometric mean of its answer's token probabilities."""
        inputs = self._inputs(questions)
        logprobs = functional.log_softmax(self._model(**inputs).logits[:, :-1].float(), -1)
        chosen: Tensor = logprobs.gather(-1, inputs["input_ids"][:, 1:, None])[..., 0]
        lengths = [len(self._ids(question.answer or "")) for question in questions]
        return [
            float(row[-length:].mean().exp()) for row, length in zip(chosen, lengths, strict=True)
        ]

    @torch.inference_mode()
    def _score_pairs(self, questions: Sequence[_Question]) -> list[float | None]:
        """P(yes) / (P(yes) + P(no)) of the answer's first token."""
        inputs = self._inputs(questions)
        probabilities = self._model(**inputs, logits_to_keep=1).logits[:, -1].float().softmax(-1)
        yes, no = (
            probabilities[:, sorted({ids[0] for w in words if len(ids := self._ids(w)) == 1})]
            for words in (_YES, _NO)
        )
        sums = torch.stack([yes.sum(-1), no.sum(-1)])
        return [float(y / (y + n)) if float(y + n) > 0 else None for y, n in sums.T]

    def _inputs(self, questions: Sequence[_Question]) -> dict[str, Any]:
        """Model inputs, padded on the left. A question's answer is left open, without end token."""
        texts = []
        for question in questions:
            pictures = [{"type": "image"} for _ in question.pictures]
            content = self._prompts.content({"type": "text", "text": question.text}, pictures)
            messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
            if question.answer is not None:
                messages.append({"role": "assistant", "content": question.answer})
            texts.append(
                self._processor.apply_chat_template(
                    messages,
                    add_generation_prompt=question.answer is None,
                    continue_final_message=question.answer is not None,
                )
            )
        images = [picture for question in questions for picture in question.pictures]
        inputs: dict[str, Any] = self._processor(
            images=images, text=texts, padding=True, return_tensors="pt"
        )
        return inputs

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._processor.tokenizer(text, add_special_tokens=False).input_ids
        return ids


class _Grammars:
    """JSON schemas compiled for a model's tokens, each once."""

    def __init__(self, model: Any, processor: Any) -> None:
        info = xgrammar.TokenizerInfo.from_huggingface(
            processor.tokenizer, vocab_size=model.get_input_embeddings().num_embeddings
        )
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self._compiled: dict[type[BaseModel], xgrammar.CompiledGrammar] = {}

    def constraint(self, answer: type[BaseModel]) -> Any:
        """A logits processor, for one call of ``generate``, that permits compact JSON only."""
        if answer not in self._compiled:
            self._compiled[answer] = self._compiler.compile_json_schema(
                json.dumps(schema_of(answer)), any_whitespace=False, separators=(",", ":")
            )
        return LogitsProcessor(self._compiled[answer])
