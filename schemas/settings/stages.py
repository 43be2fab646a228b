"""Pictures, catalog and matching."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from schemas.attributes import Department
from schemas.rerank import RerankMethod
from schemas.settings.base import PrivateHost, Section


class ImageSettings(Section):
    """The guard for pictures from outside."""

    allowed_roots: tuple[Path, ...] = Field(
        (), description="file: URLs must point below one of these folders."
    )
    private_hosts: tuple[PrivateHost, ...] = Field(
        (),
        description="Names, addresses or networks (10.20.0.0/16) of picture hosts that are not on "
        "public addresses. Metadata and other platform addresses stay closed.",
    )
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        (80, 443), description="Of picture hosts; other ports are those of other servers."
    )
    max_bytes: int = Field(20 * 2**20, gt=0)
    max_bytes_in_flight: int = Field(
        256 * 2**20,
        gt=0,
        description="Of all pictures that are downloaded or wait to be decoded; photographs have "
        "0.2 MiB.",
    )
    max_pixels: int = Field(
        40_000_000, gt=0, description="Width x height, checked before decoding."
    )
    max_side: int = Field(
        1024, gt=0, description="Decoded pictures are scaled down to this, in pixels."
    )
    max_redirects: int = Field(
        5, ge=0, description="To https, to www, to a CDN, to its region: chains of four are seen."
    )
    timeout_seconds: float = Field(10.0, gt=0, description="Of a whole fetch, including redirects.")
    connections: int | None = Field(
        None, ge=1, description="Downloads at once; null: 32 for each core."
    )
    decode_workers: int | None = Field(
        None, ge=1, description="Decoding processes; null: one for each core."
    )
    decode_cpu_seconds: float = Field(
        8.0,
        gt=0,
        description="Processor time for one picture; 40 megapixels in 15 scans take 4.",
    )
    http_cache: Path | None = Field(Path("var/http-cache"), description="null: no HTTP cache.")


class CatalogSettings(Section):
    mappings: Path | tuple[Path, ...] | None = Field(
        None,
        description="Vendors' mappings (TOML) besides the built-in ones: files, or folders of "
        "them. They replace built-in ones of the same vendor.",
    )
    max_absent_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="A snapshot with more of a vendor's products absent is refused: shops replace "
        "a tenth of their range in weeks, half a file is short of far more.",
    )
    feed_folder: Path = Field(
        Path("var/feeds"), description="What `ingest` remembers of the addresses it pulls from."
    )
    private_feed_hosts: tuple[PrivateHost, ...] = Field(
        (),
        description="Names, addresses or networks on private addresses that feeds may be pulled "
        "from.",
    )
    max_feed_bytes: int = Field(
        8 * 2**30, gt=0, description="Of a pulled file as it is sent; 12 million rows, unpacked."
    )
    feed_timeout_seconds: float = Field(
        3600.0, gt=0, description="Of a whole pull; each step may take a minute at most."
    )
    zero_shot_threshold: float = Field(
        0.75, ge=0, le=1, description="Below it an attribute is unknown."
    )


class MatchingSettings(Section):
    queries: Literal["text", "region", "fused"] = "fused"
    text_weight: float = Field(
        0.35, ge=0, le=1, description="Weight of the text in the fused vector."
    )
    attribute_weight: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Added to the cosine for each attribute that product and description share.",
    )
    products_per_layer: int = Field(10, ge=1, le=100)
    over_fetch: int = Field(4, ge=1, description="Candidates fetched per requested product.")
    min_products: int = Field(
        3, ge=0, description="With fewer products left, the next filter is relaxed."
    )
    duplicate_similarity: float = Field(
        0.995, gt=0, le=1, description="Cosine from which products count as duplicates."
    )
    layer_threshold: float = Field(0.25, ge=0, le=1, description="Layers above it are reported.")
    abstain_below: float = Field(
        0.85,
        ge=0,
        le=1,
        description="A layer shows nothing unless one of its products is of its kind with at least "
        "this probability.",
    )
    list_from: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Products that are of the layer's kind with less probability are left out.",
    )
    exact_from: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Probability of being the very item from which a product counts as exact; "
        "others are similar.",
    )
    rerank: RerankMethod = Field(
        RerankMethod.LIKELIHOOD,
        description="Without a vision-language model, similarity replaces its methods; score needs "
        "vlm.score_url.",
    )
    rerank_layers: dict[Department, RerankMethod] = Field(
        default_factory=dict, description="Overrides rerank for single departments."
    )
    rerank_candidates: int = Field(
        10,
        ge=1,
        le=100,
        description="Products of a layer that the model judges; the others follow in their order.",
    )
    rerank_weight: float = Field(
        0.4,
        ge=0,
        le=1,
        description="Weight of the model's score against similarity and shared attributes.",
    )
    diversity: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Weight of variety against likeness for the products after the first one of a "
        "layer (maximal marginal relevance); 0: by likeness alone.",
    )
    describe_share: float = Field(
        0.5, gt=0, le=1, description="Share of the budget for describing."
    )
    rerank_share: float = Field(0.8, gt=0, le=1, description="Share of the rest for reranking.")
    cache_seconds: float = Field(
        600.0,
        ge=0,
        description="Time to live of cached results, which do not show new products; 0: off.",
    )
    claim_seconds: float = Field(
        7 * 86_400.0, gt=0, description="How long a look_id is remembered."
    )

    @property
    def rerank_methods(self) -> frozenset[RerankMethod]:
        """All methods that some department may be ordered by."""
        return frozenset({self.rerank, *self.rerank_layers.values()})

    def rerank_method(self, department: Department) -> RerankMethod:
        """The department's own method, or else the general one."""
        return self.rerank_layers.get(department, self.rerank)
