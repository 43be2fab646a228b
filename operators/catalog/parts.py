"""The components that the catalog flow works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL.Image import Image

from operators.catalog.mapping import Mapping as VendorMapping
from operators.catalog.placeholders import Placeholders
from operators.catalog.shared_vectors import SharedVectors
from operators.catalog.standardise import Standardiser
from operators.ports import (
    BatchLedger,
    ImageTextEncoder,
    IndexedAttributes,
    Mirror,
    PictureSource,
    RefreshSchedule,
    Thumbnails,
    VectorStore,
)


class NoMirror:
    """No-op mirror."""

    fingerprint: str | None = None

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        return None

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        return None

    async def delete(self, key: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class CatalogParts:
    """The components that :func:`apply_packet` works with."""

    mappings: Mapping[str, VendorMapping]
    """Vendor -> mapping."""
    standardiser: Standardiser
    pictures: PictureSource
    encoder: ImageTextEncoder
    index: VectorStore
    ledger: BatchLedger
    thumbnails: Thumbnails
    schedule: RefreshSchedule
    mirror: Mirror = field(default_factory=NoMirror)
    predecessor_fingerprints: frozenset[str] = frozenset()
    """Earlier encoders whose products the index already holds, embedded by the current one."""
    reduced_suffice: bool = False
    """Reduced pictures have all the pixels that the encoder and the thumbnails take."""
    placeholders: Placeholders = field(default_factory=Placeholders)
    vectors: SharedVectors = field(init=False)
    """Of pictures, by the encoder."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", SharedVectors(self.encoder))

    @property
    def reduces_pictures(self) -> bool:
        """Whether to fetch reduced pictures; not while a mirror's encoder, which may take more
        pixels, sees them, too."""
        return self.reduced_suffice and self.mirror.fingerprint is None

    @property
    def models(self) -> frozenset[str]:
        """Encoder fingerprints in the ledger that mean "this product is in the index"."""
        mirrored = self.mirror.fingerprint
        secondary = frozenset() if mirrored is None else frozenset((mirrored,))
        return self.predecessor_fingerprints | secondary | {self.encoder.fingerprint}
