"""An image-text encoder on a vLLM server (Qwen3-VL-Embedding): its embeddings API.

The server batches, so each item is a request of its own, and fails alone. Messages have the form
that Qwen3-VL-Embedding was trained on (vLLM 0.32, its examples of multimodal embedding).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Self

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from operators.budget import Budget
from operators.metering import Meter, unmetered
from operators.models.encoder_name import VLLM, encoder_name
from operators.models.model_server import CallLimits, ModelServer
from operators.models.towers import no_patch_tokens
from operators.models.vlm.messages import Part, encode_jpeg, picture_part, text_part
from operators.ports import Vector
from operators.served_calls import ServedCalls
from schemas.errors import DeadlineExceeded, Misconfigured, Unavailable
from schemas.settings import EncoderSettings

LONGEST_SIDE = 512
"""Pixels; larger pictures are reduced before they are sent. 256 tokens for a square."""
INSTRUCTION = "Represent the user's input."
"""The model's default, for pictures and texts alike, so that both are in one space."""

_CALL_SECONDS = 30.0
"""For one item, retries included. A look's own deadline is shorter."""


class VllmEncoder:
    """Implements :class:`operators.ports.ImageTextEncoder`. Use from one event loop.

    ``fingerprint``: the server's name for the model stands for its weights, which cannot be hashed
    from here; serve other weights under another name.
    """

    reads_text = True
    finds_layers = False
    resolution = LONGEST_SIDE

    def __init__(
        self, name: str, settings: EncoderSettings, full_dimension: int, meter: Meter = unmetered
    ) -> None:
        """``full_dimension``: of the server's vectors. Raises Misconfigured if it is too small."""
        self._model = settings.model.removeprefix(VLLM)
        self._full_dimension = full_dimension
        self.dimension = settings.dimensions or full_dimension
        if self.dimension > full_dimension:
            raise Misconfigured(
                f"encoder.dimensions = {self.dimension}: {self._model} has {full_dimension}"
            )
        sent = f"{LONGEST_SIDE} {INSTRUCTION} {full_dimension} {self.dimension}"
        self.fingerprint = f"{name}-{hashlib.sha256(sent.encode()).hexdigest()[:12]}"
        limits = CallLimits(settings.concurrency, settings.attempts)
        self._server = ModelServer(settings.url, settings.api_key, limits, meter)
        self._served = ServedCalls()

    @classmethod
    def load(cls, settings: EncoderSettings, meter: Meter = unmetered) -> Self:
        """Ask the server for one vector, to learn the dimension; blocking.

        Raises Misconfigured when it refuses the model or the key, Unavailable when it is away.
        """
        model = settings.model.removeprefix(VLLM)
        dimension = len(_read_vector(_ask(settings, _body(model, text_part("a shirt")))))
        return cls(encoder_name(settings.model), settings, dimension, meter)

    async def close(self) -> None:
        """Close the connections; no call may be in flight."""
        await self._server.close()

    async def encode_image(self, image: Image.Image) -> Vector:
        """Raises Unavailable."""
        jpeg = await asyncio.to_thread(_reduced_jpeg, image)
        return await self._embed("encoder.images", picture_part(jpeg))

    async def encode_text(self, text: str) -> Vector:
        """Raises Unavailable."""
        return await self._embed("encoder.texts", text_part(text))

    async def encode_patches(self, image: Image.Image) -> NDArray[np.float32]:
        """Raises Misconfigured."""
        raise no_patch_tokens(self._model)

    async def _embed(self, kind: str, part: Part) -> Vector:
        with self._served.call(kind):
            try:
                answer = await self._server.post(
                    "/embeddings",
                    _body(self._model, part),
                    Budget.of(_CALL_SECONDS),
                    holds="data",
                )
            except DeadlineExceeded as error:  # of this call, not of the item
                raise Unavailable(f"encoder.url: {error}", reason="deadline") from None
            vector = _read_vector(answer)
            if len(vector) != self._full_dimension:
                raise Unavailable(
                    f"{self._model} sent {len(vector)} dimensions instead of "
                    f"{self._full_dimension}; it is another model than at the start",
                    reason="useless-answer",
                )
        return _truncated(vector, self.dimension)


def _reduced_jpeg(image: Image.Image) -> bytes:
    if max(image.size) > LONGEST_SIDE:
        image = image.copy()
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    return encode_jpeg(image)


def _body(model: str, part: Part) -> dict[str, Any]:
    """The open answer is where Qwen3-VL-Embedding pools."""
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": [text_part(INSTRUCTION)]},
            {"role": "user", "content": [part]},
            {"role": "assistant", "content": [text_part("")]},
        ],
        "continue_final_message": True,
        "add_special_tokens": True,
        "encoding_format": "base64",
        "embed_dtype": "float32",
        "endianness": "little",
    }


def _ask(settings: EncoderSettings, body: Mapping[str, Any]) -> Mapping[str, Any]:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{settings.url.rstrip('/')}/embeddings"
    try:
        response = httpx.post(url, json=body, headers=headers, timeout=_CALL_SECONDS)
        if response.status_code in (400, 401, 404, 422):
            raise Misconfigured(
                f"{url} refuses {settings.model} ({response.status_code}): "
                f"{response.text[:300]}; check encoder.url, encoder.model and encoder.api_key"
            )
        answer = response.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Unavailable(
            f"encoder.url {settings.url}: {error}; start the server of {settings.model}",
            reason="encoder",
        ) from error
    return answer if isinstance(answer, dict) else {}


def _read_vector(answer: Mapping[str, Any]) -> NDArray[np.float32]:
    """The only vector of ``answer``, as sent: base64 of little-endian float32.

    Raises Unavailable if it is not that, or has an infinity or a value that is no number.
    """
    try:
        (entry,) = answer["data"]
        data = base64.b64decode(entry["embedding"], validate=True)
        vector = np.frombuffer(data, "<f4").astype(np.float32)
    except (KeyError, TypeError, ValueError, binascii.Error):
        vector = np.empty(0, np.float32)
    if not len(vector) or not np.isfinite(vector).all():
        raise Unavailable("the model server sent no embedding", reason="useless-answer")
    return vector


def _truncated(vector: NDArray[np.float32], dimension: int) -> Vector:
    """The first values, at norm 1: such models are trained so that these are an embedding, too
    (Kusupati et al. 2022, Matryoshka). Raises Unavailable if they are all zero."""
    first = vector[:dimension].astype(np.float64)
    norm = float(np.linalg.norm(first))
    if norm == 0:
        raise Unavailable("the model server sent an embedding of zeros", reason="useless-answer")
    return np.asarray(first / norm, dtype=np.float32)
