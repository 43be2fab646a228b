"""The encoder, the vision-language model, the human parser and the segmenter."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from schemas.settings.base import BatchSettings, Section


class EncoderSettings(Section):
    kind: Literal["local", "vllm"] = Field(
        "local",
        description="vllm: encoder.model is the name of a model on the server at encoder.url, also "
        "written vllm:NAME; local: encoder.model says where it is.",
    )
    model: str = Field(
        "sandbox-clip",
        description="A name from `looksync models list`, local-dir:FOLDER, hf-hub:NAME "
        "(open_clip), transformers:NAME, vllm:NAME, or open_clip's ARCHITECTURE/PRETRAINED.",
    )
    url: str = Field(
        "http://127.0.0.1:8002/v1",
        description="vLLM server of an embedding model, with API version.",
    )
    api_key: SecretStr | None = None
    dimensions: int | None = Field(
        None,
        ge=32,
        description="vllm: keep the first dimensions only, of a model trained for it; null: all.",
    )
    concurrency: int = Field(64, ge=1, description="vllm: calls in flight per process.")
    attempts: int = Field(3, ge=1, description="vllm: per call.")
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: int | None = Field(None, ge=1, description="torch threads on CPU; None: torch's own.")
    images: BatchSettings = BatchSettings()
    texts: BatchSettings = BatchSettings(max_size=64)

    @model_validator(mode="before")
    @classmethod
    def _served_model(cls, given: Any) -> Any:
        """A switch of encoders names both by their model alone, so the name says its kind."""
        if not isinstance(given, dict) or given.get("kind") != "vllm":
            return given
        model = given.get("model", "Qwen3-VL-Embedding-2B")
        served = not isinstance(model, str) or model.startswith("vllm:")
        return {**given, "model": model if served else f"vllm:{model}"}


class VlmSettings(Section):
    """The vision-language model that describes looks and reranks products."""

    kind: Literal["none", "embedded", "openai"] = Field(
        "none",
        description="openai: a server with vLLM's API; embedded: a local model in this process; "
        "none: the tagger describes, similarity ranks.",
    )
    url: str = Field("http://127.0.0.1:8000/v1", description="Base URL, including the API version.")
    model: str = Field(
        "Qwen/Qwen3-VL-8B-Instruct",
        description="The server's name for the model; embedded: a folder, or sandbox-vlm.",
    )
    api_key: SecretStr | None = None
    score_url: str | None = Field(
        None,
        description='vLLM server of a reranking model, which matching.rerank = "score" asks; '
        "without API version, called with the same key.",
    )
    score_model: str = Field(
        "Qwen/Qwen3-VL-Reranker-2B", description="That server's name for the reranking model."
    )
    prompts: str = Field("general-3", description="Prompt set; sandbox-1 for the sandbox's model.")
    longest_description: int = Field(
        1000, ge=32, description="Maximum tokens of a look's description."
    )
    concurrency: int = Field(64, ge=1, description="Calls in flight per process.")
    requests_per_second: float | None = Field(
        None,
        ge=0.1,
        description="Of each process, for a server that others use, too; null: no limit.",
    )
    attempts: int = Field(3, ge=1, description="Per call, within the look's budget.")
    batches: BatchSettings = Field(BatchSettings(max_size=16), description="Of the embedded model.")
    cache_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Time to live of cached descriptions and likelihoods; 0: no cache.",
    )
    hedge_after_ms: float | None = Field(
        None, gt=0, description="Send a second request when a call takes longer; null: never."
    )
    breaker_failures: int = Field(
        5, ge=1, description="Consecutive failures that open the circuit breaker."
    )
    breaker_seconds: float = Field(
        10.0, gt=0, description="How long the breaker stays open before a call probes the server."
    )

    @model_validator(mode="before")
    @classmethod
    def _sandbox_model(cls, given: Any) -> Any:
        """Without a model name, embedded means the sandbox's model, which needs its own prompts."""
        if isinstance(given, dict) and given.get("kind") == "embedded" and "model" not in given:
            return {"model": "sandbox-vlm", "prompts": "sandbox-1", **given}
        return given


class ParserSettings(Section):
    """Finds people and layers that the vision-language model gives no box for."""

    kind: Literal["none", "local"] = Field(
        "none",
        description="local: a model of semantic segmentation in this process; none: the encoder's "
        "patches find them, if they can.",
    )
    model: str = Field(
        "sandbox-parser",
        description="sandbox-parser, a folder, or a hub name; its labels must be those of a known "
        "set of clothes (docs/models.md).",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class SegmenterSettings(Section):
    """Segments a layer when the vision-language model could not judge its products."""

    kind: Literal["none", "florence-sam2"] = Field(
        "none", description="none: use the square around the layer, found by the encoder's patches."
    )
    florence: str = Field(
        "florence-community/Florence-2-base", description="Folder or hub name; locates the query."
    )
    sam2: str = Field(
        "facebook/sam2.1-hiera-small", description="Folder or hub name; computes the mask."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
