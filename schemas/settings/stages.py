"""Pictures, the catalog and matching."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from schemas.attributes import Department
from schemas.rerank import RerankMethod
from schemas.settings.base import Section


class ImageSettings(Section):
    """The guard around every picture that comes from outside."""

    allowed_roots: tuple[Path, ...] = Field(
        (), description="file: URLs must lie below one of these."
    )
    allow_private_addresses: bool = Field(
        False, description="Loopback, private and link-local hosts."
    )
    max_bytes: int = Field(20 * 2**20, gt=0)
    max_pixels: int = Field(40_000_000, gt=0, description="Width x height before decoding.")
    max_side: int = Field(
        1024, gt=0, description="Decoded pictures are reduced to this, in pixels."
    )
    max_redirects: int = Field(3, ge=0)
    timeout_seconds: float = Field(10.0, gt=0, description="Whole fetch, redirects included.")
    connections: int = Field(32, ge=1)
    decode_threads: int = Field(2, ge=1)
    http_cache: Path | None = Field(Path("var/http-cache"), description="None: no HTTP cache.")


class CatalogSettings(Section):
    mappings: Path | None = Field(
        None, description="Folder of vendors' mappings (TOML); null: the shipped ones."
    )
    zero_shot_threshold: float = Field(0.75, ge=0, le=1, description="Below: attribute unknown.")


class MatchingSettings(Section):
    queries: Literal["text", "region", "fused"] = "fused"
    text_weight: float = Field(0.35, ge=0, le=1, description="Of the text in the fused vector.")
    attribute_weight: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Of each attribute that product and description share, in cosine.",
    )
    products_per_layer: int = Field(10, ge=1, le=100)
    over_fetch: int = Field(4, ge=1, description="Candidates fetched per product wanted.")
    min_products: int = Field(3, ge=0, description="Fewer left: the next step of the ladder.")
    duplicate_similarity: float = Field(0.995, gt=0, le=1, description="Cosine that folds.")
    layer_threshold: float = Field(0.25, ge=0, le=1, description="A layer is reported above this.")
    abstain_below: float = Field(
        0.03,
        ge=0,
        le=1,
        description="Confidence that the first product is the very item; a near one has about 0.2.",
    )
    rerank: RerankMethod = Field(
        RerankMethod.LIKELIHOOD,
        description="Without a vision-language model, its methods are by similarity.",
    )
    rerank_layers: dict[Department, RerankMethod] = Field(
        default_factory=dict, description="Departments with a method of their own."
    )
    rerank_weight: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Of the model's judgement, beside similarity and shared attributes.",
    )
    describe_share: float = Field(0.5, gt=0, le=1, description="Of the budget, for describing.")
    rerank_share: float = Field(0.8, gt=0, le=1, description="Of what is left, for reranking.")
    cache_seconds: float = Field(
        600.0, ge=0, description="Results by picture and context; 0: off. New products wait for it."
    )
    claim_seconds: float = Field(
        7 * 86_400.0, gt=0, description="How long a look_id is remembered."
    )

    def rerank_method(self, department: Department) -> RerankMethod:
        """The layer's own method, or else the general one."""
        return self.rerank_layers.get(department, self.rerank)
