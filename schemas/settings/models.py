"""The encoder, the vision-language model and the segmenter."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from schemas.settings.base import BatchSettings, Section


class EncoderSettings(Section):
    model: str = Field(
        "sandbox-clip",
        description="A name of `looksync models list`, local-dir:FOLDER, hf-hub:NAME "
        "(open_clip), transformers:NAME, or open_clip's ARCHITECTURE/PRETRAINED.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: int | None = Field(None, ge=1, description="torch threads on CPU; None: torch's own.")
    images: BatchSettings = BatchSettings()
    texts: BatchSettings = BatchSettings(max_size=64)


class VlmSettings(Section):
    """The vision-language model that describes looks and reranks products."""

    kind: Literal["none", "embedded", "openai"] = Field(
        "none",
        description="openai: a server with vLLM's API; embedded: a folder's model in this "
        "process; none: tagger and similarity do it.",
    )
    url: str = Field("http://127.0.0.1:8000/v1", description="Up to and including the version.")
    model: str = Field(
        "Qwen/Qwen3-VL-8B-Instruct",
        description="As the server calls it; embedded: a folder, or sandbox-vlm.",
    )
    api_key: SecretStr | None = None
    prompts: str = Field(
        "general-1", description="Set of prompts; the sandbox's model has sandbox-1."
    )
    longest_description: int = Field(800, ge=32, description="Tokens of a look's description.")
    concurrency: int = Field(64, ge=1, description="Calls in flight per process.")
    attempts: int = Field(3, ge=1, description="Per call, as far as the look's budget allows.")
    batches: BatchSettings = Field(BatchSettings(max_size=16), description="Of the embedded model.")
    cache_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Descriptions by picture, likelihoods by query and product; 0: off.",
    )
    hedge_after_ms: float | None = Field(
        None, gt=0, description="Ask a second time beside a call this slow; null: never."
    )
    breaker_failures: int = Field(5, ge=1, description="In a row; then the server is left alone.")
    breaker_seconds: float = Field(10.0, gt=0, description="Until one call probes it again.")

    @model_validator(mode="before")
    @classmethod
    def _sandbox_model(cls, given: Any) -> Any:
        """Embedded without a folder: the sandbox's model, which knows its own prompts only."""
        if isinstance(given, dict) and given.get("kind") == "embedded" and "model" not in given:
            return {"model": "sandbox-vlm", "prompts": "sandbox-1", **given}
        return given


class SegmenterSettings(Section):
    """Cuts a layer out of the look when the vision-language model could not judge its products."""

    kind: Literal["none", "florence-sam2"] = Field(
        "none", description="none: the square around the layer, found by the encoder's patches."
    )
    florence: str = Field(
        "florence-community/Florence-2-base", description="Folder or hub name; grounds the query."
    )
    sam2: str = Field("facebook/sam2.1-hiera-small", description="Folder or hub name; the mask.")
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
