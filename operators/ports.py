"""The protocols between the stages (catalog, matching) and their parts (models, stores, images).

All parts are safe for concurrent calls from one event loop and coalesce them into batches
underneath; callers await one item at a time. Any method may raise
:class:`schemas.errors.Unavailable` when the part cannot be reached.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.budget import Budget
from schemas.attributes import Department
from schemas.catalog import LedgerEntry
from schemas.looks import ImageReference, Region
from schemas.rerank import RerankMethod

Vector = NDArray[np.float32]
"""Shape (dimension,), float32, Euclidean norm 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: RGB, upright, alpha composed on white."""

    image: Image
    pixel_hash: str
    """Hex digest of size and decoded pixels: equal pixels, equal hash, whatever the file."""


class PictureSource(Protocol):
    """Guarded fetching and decoding (operators/images)."""

    async def fetch(self, reference: ImageReference) -> Picture:
        """The picture behind a URL or in the bytes.

        Raises ImageRefused (never worth a retry) or Unavailable (remote host failed).
        """
        ...


class ImageTextEncoder(Protocol):
    """One embedding space for pictures and texts (operators/models)."""

    @property
    def fingerprint(self) -> str:
        """Name and hash of weights and preprocessing; names the index collection."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def reads_text(self) -> bool:
        """False: pictures only, so a layer's region is its query; encode_text then raises
        Misconfigured."""
        ...

    async def encode_image(self, image: Image) -> Vector: ...

    async def encode_text(self, text: str) -> Vector: ...

    async def encode_patches(self, image: Image) -> NDArray[np.float32]:
        """Patch tokens in the joint space: shape (rows, columns, dimension), unit norm each.

        The picture is resized to the model's square input; patch (r, c) covers the
        corresponding cell of the picture.
        """
        ...


@dataclass(frozen=True, slots=True)
class LayerDescription:
    """What a vision-language model says of one layer."""

    query: str
    attributes: Mapping[str, str]
    """Standard attribute name (category, colour, pattern, ...) -> value."""


class VisionLanguageModel(Protocol):
    """Describes looks and compares items."""

    @property
    def fingerprint(self) -> str: ...

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """One description per layer seen. Raises Unavailable or DeadlineExceeded."""
        ...

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        """How well each candidate (thumbnail, JPEG bytes) fits the region or its query, 0..1.

        None where the model gave no usable answer. Raises Unavailable or DeadlineExceeded.
        """
        ...


class Segmenter(Protocol):
    """Finds where a layer is in a picture."""

    @property
    def fingerprint(self) -> str:
        """Changes when the same picture may get other regions; part of the result cache's key."""
        ...

    async def locate(self, image: Image, layers: Sequence[Department]) -> dict[Department, Located]:
        """The region of each of ``layers`` that is found; layers not found are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Located:
    """A layer's place in a picture."""

    region: Region
    confidence: float
    """0..1, that the layer is there at all."""


@dataclass(frozen=True, slots=True)
class IndexedAttributes:
    """The filterable attributes of a product as the vector store holds them."""

    department: str | None
    category: str | None
    gender: str | None
    colour: str | None
    pattern: str | None
    brand: str | None
    """Case-folded."""
    market: str | None
    sizes: tuple[str, ...]
    in_stock: bool
    price_bucket: int | None
    """Coarse logarithmic bucket, see operators.vocabulary.price_bucket; exact prices: ledger."""
    currency: str | None
    style: str | None
    """``vendor:style_id``; variants of one style share it."""
    image_hash: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Hard filters of a search; None or empty: no restriction. All must hold."""

    department: str | None = None
    market: str | None = None
    genders: frozenset[str] = frozenset()
    """Any of these, or gender unknown."""
    colours: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    """Case-folded."""
    excluded_brands: frozenset[str] = frozenset()
    sizes: frozenset[str] = frozenset()
    """At least one in common."""
    in_stock: bool = True
    """True: only what can be ordered. False: no restriction."""
    price_buckets: tuple[int, int] | None = None
    """Inclusive range of buckets."""
    currency: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A product found by a search."""

    key: str
    similarity: float
    """Cosine with the query vector."""
    attributes: IndexedAttributes
    vector: Vector


class VectorStore(Protocol):
    """Vectors with filterable attributes (operators/stores); one writer per key.

    One collection per encoder fingerprint; a store opened on a collection of another fingerprint
    raises IndexMismatch when it is opened.
    """

    @property
    def generation(self) -> str:
        """Names the collection in force; results cached under another generation are void."""
        ...

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        """Acknowledged (durable and searchable) when it returns."""
        ...

    async def patch(self, key: str, attributes: IndexedAttributes) -> bool:
        """Replace the attributes, vector untouched. False when the key is not there."""
        ...

    async def delete(self, key: str) -> None:
        """Gone when it returns; no error when it was not there."""
        ...

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        """The nearest by cosine, best first, ties by key."""
        ...

    async def get(self, key: str) -> Candidate | None:
        """The stored object (similarity 1.0), or None."""
        ...

    async def count(self) -> int: ...

    def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
        """Every key with its attributes, in no order."""
        ...

    async def close(self) -> None: ...


class Mirror(Protocol):
    """A second index, of another encoder, kept up beside the first while the model is switched.

    Whoever has no mirror to keep up has one that does nothing. A method that returns has brought
    the mirror in line, if there is one; Unavailable is raised like by a VectorStore.
    """

    @property
    def fingerprint(self) -> str | None:
        """Of its encoder; None when there is no mirror now."""
        ...

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        """The mirror's own encoder embeds ``image``."""
        ...

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        """Nothing happens when the mirror does not have the key yet."""
        ...

    async def delete(self, key: str) -> None: ...


class Ledger(Protocol):
    """Per product, what was last applied (operators/stores)."""

    async def read(self, key: str) -> LedgerEntry | None: ...

    async def read_many(self, keys: Sequence[str]) -> list[LedgerEntry | None]:
        """In the order of ``keys``."""
        ...

    async def write(self, entry: LedgerEntry) -> None:
        """Acknowledged when it returns."""
        ...

    def scan(self) -> AsyncIterator[LedgerEntry]: ...

    async def close(self) -> None: ...


class Cache(Protocol):
    """Bytes under a key with a time to live; may forget at any time."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None: ...


class Claims(Protocol):
    """Remembers who came first, so that a repeated look is recognised and a replayed one is not."""

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        """Claim ``name`` for ``owner`` unless claimed; returns the owner in force."""
        ...


class Thumbnails(Protocol):
    """Small JPEGs of product pictures, longest side at most 336 px."""

    async def put(self, key: str, image: Image) -> None: ...

    async def get(self, key: str) -> bytes | None: ...

    async def delete(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A layer cut out of a picture."""

    region: Region
    """Around the mask."""
    mask: NDArray[np.bool_]
    """Shape (height, width) of the picture; True where the layer is. Never empty."""
    confidence: float
    """0..1, that the mask is right; 0 where it is only the region's rectangle."""


class QuerySegmenter(Protocol):
    """Cuts layers out of a picture by their queries: the fallback of reranking."""

    async def segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        """The segment of each query that is found; what is not found is left out."""
        ...
