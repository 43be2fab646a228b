"""Loads the encoders that the flows can work with."""

from __future__ import annotations

from operators.models.batching_encoder import BatchingEncoder
from operators.models.load_encoder import load_encoder
from operators.streaming.health.metrics import FlowMetrics
from schemas.errors import Misconfigured
from schemas.settings import EncoderSettings


def load_flow_encoder(
    settings: EncoderSettings, model: str, metrics: FlowMetrics | None
) -> BatchingEncoder:
    """The encoder ``model``, otherwise as in ``settings``. Raises Misconfigured."""

    def observe(batches: str, size: int, waited_seconds: float) -> None:
        if metrics is not None:
            metrics.observe_batches(batches)(size, waited_seconds)

    encoder = load_encoder(settings.model_copy(update={"model": model}), observe)
    if not encoder.reads_text:
        raise Misconfigured(
            f"encoder.model = {model!r} has an image tower only; the flows find and tag "
            "layers by words: choose an encoder that reads text"
        )
    return encoder
