"""A look, candidates and canned answers for the tests of the model server's client."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from PIL import Image

from operators.models.vlm.messages import encode_jpeg
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.ports import Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.settings import VlmSettings

LOOK = Picture(Image.new("RGB", (64, 96), "red"), "hash")
REGION = Image.new("RGB", (32, 32), "red")
DESCRIBED = '{"layers":[{"layer":"top","query":"red t-shirt"}]}'

OpenClient: TypeAlias = Callable[..., OpenAIVisionModel]


def open_client(url: str, **changed: object) -> OpenAIVisionModel:
    settings = VlmSettings.model_validate({"kind": "openai", "url": url, **changed})
    return OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)


def candidate(colour: str) -> bytes:
    return encode_jpeg(Image.new("RGB", (16, 16), colour))


def yes_with(probability: float) -> dict[str, Any]:
    """A completion that begins with yes at this probability, else with no."""
    tokens = [
        {"token": " Yes", "logprob": math.log(probability * 0.9)},
        {"token": "no", "logprob": math.log((1 - probability) * 0.9)},
        {"token": "maybe", "logprob": math.log(0.1)},
    ]
    content = [{"token": " Yes", "logprob": -0.1, "top_logprobs": tokens}]
    return {"choices": [{"message": {"content": "Yes"}, "logprobs": {"content": content}}]}
