"""The ports: protocols of the parts (models, stores, images) that the stages are given.

Implementations are safe for concurrent calls on one event loop and batch them internally; callers
await one item at a time. Any method may raise :class:`schemas.errors.Unavailable` when the part
cannot be reached.

Longer than 300 lines: all that the stages need from outside, on one page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.budget import Budget
from operators.picture import WHOLE
from operators.picture import Picture as Picture
from operators.picture import Wanted as Wanted
from schemas.attributes import Department
from schemas.catalog import LedgerEntry
from schemas.errors import UnreadableEntry
from schemas.looks import ImageReference, Region
from schemas.rerank import RerankMethod

Vector = NDArray[np.float32]
"""Shape (dimension,), float32, Euclidean norm 1."""


class PictureSource(Protocol):
    """Fetches and decodes pictures safely (operators/images)."""

    async def fetch(
        self, reference: ImageReference, vendor: str | None = None, wanted: Wanted = WHOLE
    ) -> Picture:
        """Fetch and decode the referenced picture.

        ``vendor``: whose picture it is, and so whose quota it uses; None for looks. ``wanted``: in
        which size, and which known hashes it will be compared with.
        Raises ImageRefused (do not retry), PictureUnavailable (its host failed), or Unavailable
        (our decoding is away: wait).
        """
        ...


class ImageTextEncoder(Protocol):
    """Embeds pictures and texts in one space (operators/models)."""

    @property
    def fingerprint(self) -> str:
        """Name, and hash of weights and preprocessing; the index collection is named after it."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def reads_text(self) -> bool:
        """False: encode_text raises Misconfigured, and layers are searched by region only."""
        ...

    @property
    def finds_layers(self) -> bool:
        """Whether patches can be compared with texts; otherwise another part finds layers."""
        ...

    async def encode_image(self, image: Image) -> Vector: ...

    async def encode_text(self, text: str) -> Vector: ...

    async def encode_patches(self, image: Image) -> NDArray[np.float32]:
        """Patch tokens in the joint space: shape (rows, columns, dimension), unit norm each.

        The picture is resized to the model's square input; patch (r, c) covers the
        corresponding cell of the picture. Raises Misconfigured unless ``finds_layers``.
        """
        ...


@dataclass(frozen=True, slots=True)
class LayerDescription:
    """How a vision-language model or the tagger describes one layer."""

    query: str
    attributes: Mapping[str, str]
    """Attribute name (category, colour, pattern, ...) -> standardised value."""
    region: Region | None = None
    """Where the model saw the layer, in the first picture; None: it did not say."""


class VisionLanguageModel(Protocol):
    """Describes looks and judges products."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def finds_layers(self) -> bool:
        """Whether it is asked for the regions of the layers that it describes."""
        ...

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """One description per layer found in ``pictures``, the look's own picture first.

        Raises Unavailable or DeadlineExceeded.
        """
        ...

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        """A score in 0..1 per candidate (thumbnail as JPEG bytes): how well it fits the region or
        the query; None without a usable answer.

        Raises Unavailable or DeadlineExceeded.
        """
        ...


class Segmenter(Protocol):
    """Locates layers in a picture."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever regions of the same picture may change; goes into result cache keys."""
        ...

    async def locate(self, image: Image, layers: Sequence[Department]) -> dict[Department, Located]:
        """Locate each of ``layers``; layers that are not found are left out."""
        ...


class HumanParser(Protocol):
    """Says of each part of a picture which garment, skin or hair it shows."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def labels(self) -> Sequence[str]:
        """The names of what it tells apart, background among them."""
        ...

    async def parse(self, image: Image) -> NDArray[np.float32]:
        """The probability of each label, shape (labels, rows, columns); the cells divide the
        picture's height and width evenly."""
        ...


class PersonFinder(Protocol):
    """Finds the people in a picture."""

    async def find_people(self, image: Image) -> list[Region]:
        """A box around each person, clothes and bags included, in any order.

        Empty when nobody is found, e.g. in a product photograph.
        """
        ...


@dataclass(frozen=True, slots=True)
class Located:
    """A layer's place in a picture."""

    region: Region
    confidence: float
    """Probability, 0..1, that the picture shows the layer at all."""
    vector: Vector | None = None
    """The embedding of the region's crop (operators.matching.crops), where it is known already."""
    reading: float = 1.0
    """Probability of the reading that the layer belongs to: a dress, or a top and a bottom. Layers
    of both are located when the picture leaves it open."""


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
    """See operators.vocabulary.price_bucket; the exact price is in the ledger."""
    currency: str | None
    style: str | None
    """``vendor:style_id``, shared by the variants of a style."""
    image_hash: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Conjunctive filters of a search; None or empty: no restriction."""

    department: str | None = None
    market: str | None = None
    genders: frozenset[str] = frozenset()
    """Any of these, or unknown."""
    colours: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    """Case-folded."""
    excluded_brands: frozenset[str] = frozenset()
    sizes: frozenset[str] = frozenset()
    """At least one of these."""
    in_stock: bool = True
    """True: only products that can be ordered. False: no restriction."""
    price_buckets: tuple[int, int] | None = None
    """First and last bucket, inclusive."""
    currency: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A product returned by the vector store."""

    key: str
    similarity: float
    """Cosine with the query vector."""
    attributes: IndexedAttributes
    vector: Vector


class VectorStore(Protocol):
    """Vectors with filterable attributes (operators/stores); one writer per key.

    There is one collection per encoder fingerprint: opening a store on another encoder's collection
    raises IndexMismatch. Once the collection that was opened is gone or replaced by another, every
    method raises IndexLost, within seconds.
    """

    @property
    def generation(self) -> str:
        """Name of the active collection; results cached under another generation are invalid."""
        ...

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        """Write the object; it is durable and searchable when this returns."""
        ...

    async def patch(self, key: str, attributes: IndexedAttributes) -> bool:
        """Replace the attributes only. False if the key does not exist."""
        ...

    async def delete(self, key: str) -> None:
        """Delete the object, if it exists; it is gone when this returns."""
        ...

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        """At most ``limit`` nearest objects by cosine, best first, ties by key."""
        ...

    async def get(self, key: str) -> Candidate | None:
        """The stored object (with similarity 1.0); None if the key does not exist."""
        ...

    async def count(self) -> int: ...

    def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
        """Every key with its attributes, in no particular order."""
        ...

    async def close(self) -> None: ...


class Mirror(Protocol):
    """A secondary index for another encoder, written along with the primary during a model switch.

    Without a switch, a no-op mirror is used. Writes are acknowledged when they return, as in a
    VectorStore; they may raise Unavailable.
    """

    @property
    def fingerprint(self) -> str | None:
        """Of the secondary index's encoder; None without an active mirror."""
        ...

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        """Write the object, with ``image`` embedded by the mirror's own encoder."""
        ...

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        """Replace the attributes; no effect if the mirror does not have the key yet."""
        ...

    async def delete(self, key: str) -> None: ...


class Ledger(Protocol):
    """The current state of every product, as last applied (operators/stores)."""

    async def read(self, key: str) -> LedgerEntry | None:
        """The entry; None if there is none. Raises UnreadableEntry, which affects no other key."""
        ...

    async def read_many(
        self, keys: Sequence[str], on_unreadable: Callable[[UnreadableEntry], None]
    ) -> list[LedgerEntry | None]:
        """The entries in the order of ``keys``; None where there is none.

        An entry that cannot be read counts as missing, and its error is passed to
        ``on_unreadable``.
        """
        ...

    async def write(self, entry: LedgerEntry) -> None:
        """Write the entry; it is durable when this returns."""
        ...

    def scan(self, prefix: str = "") -> AsyncIterator[LedgerEntry]:
        """Every entry whose key begins with ``prefix``, in no particular order."""
        ...

    async def close(self) -> None: ...


class BatchLedger(Ledger, Protocol):
    """A ledger that is read and written many entries at a time."""

    async def read_known(self, keys: Sequence[str]) -> dict[str, LedgerEntry]:
        """The entries that there are and that can be read, in one step; `read` tells why the others
        are missing."""
        ...

    async def write_many(self, entries: Sequence[LedgerEntry]) -> None:
        """Write the entries, each key once, in one step; they are durable when this returns.

        When it raises, each may be written or not.
        """
        ...


class RefreshSchedule(Protocol):
    """When each product is due for a refresh; survives restarts."""

    async def set(self, key: str, due: datetime | None) -> None:
        """Refresh ``key`` at ``due``, replacing any earlier schedule; None: never."""
        ...

    async def lease_due(self, now: datetime, limit: int, lease: timedelta) -> list[str]:
        """At most ``limit`` keys that are due at ``now``, the longest waiting first.

        They become due again after ``lease``, in case their refresh is lost. No two callers get the
        same key within it.
        """
        ...


class Cache(Protocol):
    """Bytes by key, with a time to live; entries may be evicted at any time."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None: ...


class Claims(Protocol):
    """First owner of each name: distinguishes a repeated look (another record) from a replay."""

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        """Claim ``name`` for ``owner`` unless it is claimed; returns the current owner."""
        ...


class Thumbnails(Protocol):
    """Product pictures as JPEG, longest side at most 336 pixels."""

    async def put(self, key: str, image: Image) -> None: ...

    async def get(self, key: str) -> bytes | None: ...

    async def delete(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A layer's outline in a picture."""

    region: Region
    """Bounding box of the mask."""
    mask: NDArray[np.bool_]
    """Shape (height, width) of the picture; True inside the layer, at least one pixel."""
    confidence: float
    """Of the mask, 0..1; 0 if the mask is only the region's rectangle."""


class QuerySegmenter(Protocol):
    """Segments layers by their queries."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever segments of the same picture may change; goes into result cache keys."""
        ...

    async def segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        """Segment the layer of each query; layers that are not found are left out."""
        ...
