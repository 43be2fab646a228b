"""Loads encoders for the flows; checks that the parts in force can find a look's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from operators.metering import unmetered
from operators.models.encoder_name import VLLM
from operators.models.encoder_table import encoder_source
from operators.models.load_encoder import load_encoder
from operators.models.vllm_encoder import VllmEncoder
from operators.models.vlm.prompts import Prompts
from operators.picture import REDUCED_SIDE
from operators.streaming.health.metrics import FlowMetrics
from schemas.errors import Misconfigured
from schemas.settings import Settings

if TYPE_CHECKING:
    from operators.models.batching_encoder import BatchingEncoder

    FlowEncoder: TypeAlias = BatchingEncoder | VllmEncoder
    """In this process, or on a server."""


class Capabilities(Protocol):
    """What an encoder can do: a loaded one, or a row of the table."""

    @property
    def reads_text(self) -> bool: ...

    @property
    def finds_layers(self) -> bool: ...


def load_flow_encoder(settings: Settings, model: str, metrics: FlowMetrics | None) -> FlowEncoder:
    """The encoder ``model``, otherwise as in ``settings``.

    Raises Misconfigured; also when no part would find layers with it: nothing is embedded in vain.
    Raises Unavailable when its server is away.
    """
    source = encoder_source(model)
    served = source.startswith(VLLM)
    chosen = settings.encoder.model_copy(update={"model": source if served else model})
    settings = settings.model_copy(update={"encoder": chosen})

    def observe(batches: str, size: int, waited_seconds: float) -> None:
        if metrics is not None:
            metrics.observe_batches(batches)(size, waited_seconds)

    encoder: FlowEncoder
    if served:
        meter = unmetered if metrics is None else metrics.meter("encoder")
        encoder = VllmEncoder.load(chosen, meter)
    else:
        encoder = load_encoder(chosen, observe)
    find_layer_finder(encoder, settings)
    return encoder


def reduced_suffice(encoder: FlowEncoder, settings: Settings) -> bool:
    """Whether the encoder and the thumbnails take no more pixels than reduced pictures have."""
    return max(encoder.resolution, settings.thumbnails.max_side) <= REDUCED_SIDE


def find_layer_finder(encoder: Capabilities, settings: Settings) -> str:
    """Which part finds the layers of looks: for people to read.

    Raises Misconfigured when none does, so that no look could be answered.
    """
    if settings.vlm.kind != "none" and Prompts.load(settings.vlm.prompts).asks_for_boxes:
        return "the vision-language model"
    model = f"encoder.model = {settings.encoder.model!r}"
    if settings.parser.kind != "none":
        if settings.vlm.kind == "none" and not encoder.reads_text:
            raise Misconfigured(
                f"{model} has an image tower only, and nobody says what a layer is: set vlm.kind, "
                "or choose an encoder that reads text (`looksync models list`)"
            )
        return "the human parser"
    if encoder.finds_layers:
        return "the encoder"
    if settings.vlm.kind == "none":
        raise Misconfigured(
            f"{model} finds no layers, because its patches cannot be compared with words, and "
            "there is no vision-language model that does: set vlm.kind or parser.kind, or choose "
            "an encoder that finds layers (`looksync models list`)"
        )
    if settings.segmenter.kind != "none":
        return "the query segmenter"
    if encoder.reads_text:
        return "nobody: layers are searched by the words of the vision-language model alone"
    raise Misconfigured(
        f"{model} has an image tower only, and no part says where a layer is: choose vlm.prompts "
        "that ask for boxes, or set segmenter.kind"
    )
