"""Live products that a snapshot no longer contains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from operators.catalog.feeds.read import RejectedRow
from operators.catalog.ingest.seen import SeenIds
from operators.vocabulary.views import published_version
from schemas.catalog import LedgerEntry, Packet, PacketKind
from schemas.records import Record

_MAX_CHARACTERS = 8 * 2**20
"""Characters of rows without a readable id, kept to search them for ids."""


@dataclass(frozen=True, slots=True)
class LiveProduct:
    """A product that the ledger knows and that is not deleted."""

    vendor: str
    product_id: str
    version: int
    """Version of its newest fact; negative when unknown."""

    @classmethod
    def of(cls, entry: LedgerEntry) -> LiveProduct | None:
        """None when it is deleted, or known from patches only."""
        if not entry.exists:
            return None
        vendor, _, product_id = entry.key.partition(":")
        return cls(vendor, product_id, published_version(entry))

    @property
    def key(self) -> str:
        return f"{self.vendor}:{self.product_id}"


@dataclass(slots=True)
class UnreadableRows:
    """Rows whose id could not be read: any product may be in them."""

    texts: list[str] = field(default_factory=list)
    unknown: int = 0
    """Rows whose text is unknown."""
    _characters: int = 0

    def add(self, row: RejectedRow) -> None:
        """Keep the row's text, as long as there is room."""
        if row.reason == "missing-id":
            return  # it was read, and names no product
        text = str(row.row)
        if not text or self._characters + len(text) > _MAX_CHARACTERS:
            self.unknown += 1
            return
        self._characters += len(text)
        self.texts.append(text)

    def may_hold(self, product_id: str) -> bool:
        """Whether one of the texts contains ``product_id``."""
        return any(product_id in text for text in self.texts)


def absent_products(
    live: Iterable[LiveProduct], seen: SeenIds, unreadable: UnreadableRows, before: int | None
) -> Iterator[LiveProduct]:
    """Those of ``live`` that are in no row.

    ``before``: the time of the snapshot as a version; what is known since says nothing about it.
    None: versions are the vendor's own.
    """
    for product in live:
        if before is not None and product.version > before:
            continue
        if not seen.is_present(product.key) and not unreadable.may_hold(product.product_id):
            seen.mark_present(product.key)  # a scan of the ledger may repeat it
            yield product


def deletion(product: LiveProduct, version: int | None) -> Record:
    """The packet that deletes ``product`` at ``version``.

    None: at the version it has, because the next one of the vendor's own must be newer.
    """
    packet = Packet(
        vendor=product.vendor,
        product_id=product.product_id,
        kind=PacketKind.DELETE,
        version=max(product.version, 0) if version is None else version,
    )
    return Record(packet.key, packet.model_dump_json().encode())
