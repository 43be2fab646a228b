"""A vision-language model in this process: transformers, with decoding forced by xgrammar.

The same prompts, schemas and repairs as behind a server; for small models on a laptop, where a
server of its own would be more than the model.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import PIL.Image
import torch
import xgrammar
from PIL.Image import Image
from pydantic import BaseModel
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForImageTextToText, AutoProcessor
from xgrammar.contrib.hf import LogitsProcessor

from operators.batcher import MicroBatcher
from operators.budget import Budget
from operators.models.sandbox_weights import SANDBOX_VLM, sandbox_weights
from operators.models.vlm.answers import LookDescription, Order, Reader, Repaired, schema_of
from operators.models.vlm.prompts import Prompts
from operators.ports import LayerDescription, Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

Item = TypeVar("Item")
Result = TypeVar("Result")

_LONGEST_ORDER = 64
"""Tokens; twenty numbers with their commas. Left alone, a model that was not taught to order lists
goes on to its limit."""

_YES, _NO = ("yes", "Yes", " yes", " Yes"), ("no", "No", " no", " No")


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """Pictures, the text after them, and the answer whose likelihood is asked, if any."""

    pictures: tuple[Image, ...]
    text: str
    answer: str | None = None


class EmbeddedVisionModel:
    """Implements :class:`operators.ports.VisionLanguageModel`; float32 on the CPU, greedy.

    Concurrent calls share batches; the model runs in one thread of its own. To be used from one
    event loop.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        fingerprint: str,
        settings: VlmSettings,
        taxonomy: Taxonomy,
        repaired: Repaired,
    ) -> None:
        """``model``, ``processor``: as transformers loads them."""
        self._model = model
        self._processor = processor
        self._processor.tokenizer.padding_side = "left"
        self._settings = settings
        self._prompts = Prompts.load(settings.prompts)
        self._reader = Reader(taxonomy, repaired)
        self._fingerprint = fingerprint
        self._grammars = _Grammars(model, processor)
        self._thread = ThreadPoolExecutor(1, "vlm")
        self._descriptions = self._batched(partial(self._generate, LookDescription))
        self._orders = self._batched(partial(self._generate, Order))
        self._likelihoods = self._batched(self._likely)
        self._judgements = self._batched(self._yes)

    @classmethod
    def load(cls, settings: VlmSettings, taxonomy: Taxonomy, repaired: Repaired) -> Self:
        """``settings.model`` is a folder, or ``sandbox-vlm``.

        Raises Misconfigured when no model can be read there.
        """
        folder = sandbox_weights("vlm") if settings.model == SANDBOX_VLM else Path(settings.model)
        try:
            processor: Any = AutoProcessor.from_pretrained(folder, local_files_only=True)  # type: ignore[no-untyped-call]
            model: Any = AutoModelForImageTextToText.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            )
            digest = _digest(folder)
        except (OSError, ValueError, KeyError) as error:
            raise Misconfigured(
                f"vlm.model {settings.model!r} cannot be loaded as a vision-language model: {error}"
            ) from error
        fingerprint = f"{folder.name}@{digest}/{settings.prompts}"
        return cls(model.eval(), processor, fingerprint, settings, taxonomy, repaired)

    @property
    def fingerprint(self) -> str:
        """Weights and words."""
        return self._fingerprint

    async def close(self) -> None:
        for batcher in (self._descriptions, self._orders, self._likelihoods, self._judgements):
            await batcher.close()
        await asyncio.to_thread(self._thread.shutdown)

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """As the port says."""
        shown = tuple(picture.image for picture in pictures[: self._prompts.pictures])
        question = _Question(shown, self._prompts.describe)
        async with budget.enforced("vlm"):
            return self._reader.description(await self._descriptions.submit(question))

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        """As the port says."""
        async with budget.enforced("vlm"):
            shown = [PIL.Image.open(io.BytesIO(data)).convert("RGB") for data in candidates]
            match method:
                case RerankMethod.LISTWISE:
                    text = self._prompts.asking(self._prompts.listwise, query)
                    answer = await self._orders.submit(_Question((region, *shown), text))
                    return self._reader.order(answer, len(shown))
                case RerankMethod.POINTWISE:
                    text = self._prompts.asking(self._prompts.pointwise, query)
                    asked = [_Question((region, one), text) for one in shown]
                    return list(await asyncio.gather(*map(self._judgements.submit, asked)))
                case RerankMethod.LIKELIHOOD:
                    text = self._prompts.likelihood
                    asked = [_Question((one,), text, query) for one in shown]
                    return list(await asyncio.gather(*map(self._likelihoods.submit, asked)))
                case _:
                    raise ValueError(f"a model does not judge by {method}")

    def _batched(
        self, compute: Callable[[Sequence[Item]], list[Result]]
    ) -> MicroBatcher[Item, Result]:
        async def process(items: Sequence[Item]) -> list[Result]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, compute, items)

        batches = self._settings.batches
        return MicroBatcher(process, max_size=batches.max_size, max_wait_ms=batches.max_wait_ms)

    @torch.inference_mode()
    def _generate(self, answer: type[BaseModel], questions: Sequence[_Question]) -> list[str]:
        given = self._inputs(questions)
        longest = _LONGEST_ORDER if answer is Order else self._settings.longest_description
        out = self._model.generate(
            **given,
            max_new_tokens=longest,
            do_sample=False,
            logits_processor=[self._grammars.forcing(answer)],
        )
        fresh = out[:, given["input_ids"].shape[1] :]
        texts: list[str] = self._processor.batch_decode(fresh, skip_special_tokens=True)
        return texts

    @torch.inference_mode()
    def _likely(self, questions: Sequence[_Question]) -> list[float]:
        """Geometric mean of the probabilities of each answer's own tokens."""
        given = self._inputs(questions)
        chosen = functional.log_softmax(self._model(**given).logits[:, :-1].float(), -1)
        own: Tensor = chosen.gather(-1, given["input_ids"][:, 1:, None])[..., 0]
        lengths = [len(self._ids(question.answer or "")) for question in questions]
        return [float(row[-length:].mean().exp()) for row, length in zip(own, lengths, strict=True)]

    @torch.inference_mode()
    def _yes(self, questions: Sequence[_Question]) -> list[float | None]:
        """P(yes) / (P(yes) + P(no)) of the answer's first token."""
        given = self._inputs(questions)
        probabilities = self._model(**given, logits_to_keep=1).logits[:, -1].float().softmax(-1)
        yes, no = (
            probabilities[:, sorted({ids[0] for w in words if len(ids := self._ids(w)) == 1})]
            for words in (_YES, _NO)
        )
        said = torch.stack([yes.sum(-1), no.sum(-1)])
        return [float(y / (y + n)) if float(y + n) > 0 else None for y, n in said.T]

    def _inputs(self, questions: Sequence[_Question]) -> dict[str, Any]:
        """Padded on the left; an answer stands as one that goes on."""
        texts = []
        for question in questions:
            content: list[dict[str, Any]] = [{"type": "image"} for _ in question.pictures]
            messages: list[dict[str, Any]] = [
                {"role": "user", "content": [*content, {"type": "text", "text": question.text}]}
            ]
            if question.answer is not None:
                messages.append({"role": "assistant", "content": question.answer})
            texts.append(
                self._processor.apply_chat_template(
                    messages,
                    add_generation_prompt=question.answer is None,
                    continue_final_message=question.answer is not None,
                )
            )
        pictures = [picture for question in questions for picture in question.pictures]
        inputs: dict[str, Any] = self._processor(
            images=pictures, text=texts, padding=True, return_tensors="pt"
        )
        return inputs

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._processor.tokenizer(text, add_special_tokens=False).input_ids
        return ids


class _Grammars:
    """Schemas compiled for a model's tokens, each once."""

    def __init__(self, model: Any, processor: Any) -> None:
        info = xgrammar.TokenizerInfo.from_huggingface(
            processor.tokenizer, vocab_size=model.get_input_embeddings().num_embeddings
        )
        self._compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self._compiled: dict[type[BaseModel], xgrammar.CompiledGrammar] = {}

    def forcing(self, answer: type[BaseModel]) -> Any:
        """A logits processor for one call of generate: compact JSON of that schema."""
        if answer not in self._compiled:
            self._compiled[answer] = self._compiler.compile_json_schema(
                json.dumps(schema_of(answer)), any_whitespace=False, separators=(",", ":")
            )
        return LogitsProcessor(self._compiled[answer])


def _digest(folder: Path) -> str:
    """Of all weights, 12 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
