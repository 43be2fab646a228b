"""A vendor that sends files, and a catalog flow over doubles that applies their packets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from operators.catalog.apply import apply_packet
from operators.catalog.feeds.source import FeedSource
from operators.catalog.ingest.absent import LiveProduct
from operators.catalog.ingest.rejects import RejectsFile
from operators.catalog.ingest.report import IngestReport
from operators.catalog.ingest.rows import Files, Rows
from operators.catalog.ingest.run import Snapshot, ingest, ingest_snapshot
from operators.catalog.ingest.seen import SeenIds
from operators.catalog.mapping import Mapping
from operators.picture import WHOLE, Wanted
from operators.ports import Picture, PictureSource
from schemas.catalog import LedgerEntry, Packet, PacketKind
from schemas.errors import ImageRefused, PictureUnavailable
from schemas.looks import ImageReference
from schemas.records import Record
from tests.catalog.small_shop import Shop, mapping_of
from tests.doubles import pixel_hash, plain_picture

DATA = Path(__file__).parent.parent / "data" / "feeds"
MORNING = datetime(2026, 11, 26, 6, tzinfo=UTC)

PLAIN = """
vendor = "plain"
[fields]
title = "title"
description = "description"
brand = "brand"
category_text = "product_type"
colour_text = "color"
size_texts = "size"
url = "link"
image_urls = ["image_link", "more_images"]
price = "price"
stock = "quantity"
[feed]
id = "id"
"""


def plain(feed: str = "", **changes: str) -> Mapping:
    """The mapping of a plain vendor; ``feed``: more lines of the [feed] table."""
    text = PLAIN
    for old, new in changes.items():
        text = text.replace(f'{old} = "', f'{new} = "')
    return mapping_of(f"{text}{feed}\n")


class PicturesOfAllUrls:
    """Every URL has a picture of its own, but for the paths of the test host that say otherwise."""

    async def fetch(
        self, reference: ImageReference, vendor: str | None = None, wanted: Wanted = WHOLE
    ) -> Picture:
        url = reference.url or ""
        if ":18437/404" in url:
            raise ImageRefused(f"{url}: not found", reason="not-found")
        if ":18437/503" in url:
            raise PictureUnavailable(f"{url}: 503", reason="http-status")
        image = plain_picture((sum(url.encode()) % 256, len(url) % 256, 0))
        return Picture(image, pixel_hash(image))


@dataclass
class FeedShop:
    """Ingests files and applies what was sent."""

    mapping: Mapping
    shop: Shop = field(default_factory=Shop)
    packets: list[Packet] = field(default_factory=list)
    now: datetime = MORNING
    pictures: PictureSource = field(default_factory=PicturesOfAllUrls)

    async def live(self) -> list[LiveProduct]:
        entries = [entry async for entry in self.shop.ledger.scan(f"{self.mapping.vendor}:")]
        return [product for entry in entries if (product := LiveProduct.of(entry)) is not None]

    async def ingest(
        self,
        *files: Path,
        kind: PacketKind = PacketKind.UPSERT,
        snapshot: bool = False,
        force: bool = False,
        rejects: Path | None = None,
    ) -> IngestReport:
        """Ingest ``files`` as true at ``now`` and apply the packets."""
        sent: list[Record] = []
        report = IngestReport("catalog.updates")
        version = int(self.now.timestamp() * 1e6)
        sources = [FeedSource(file.name, file) for file in files]
        with SeenIds() as seen:
            rows = Rows(Files(sources, self.mapping, version, kind), seen, report)
            if snapshot:
                ingest_snapshot(rows, Snapshot(await self.live(), 0.1, force), sent.extend)
            elif rejects is not None and self.mapping.feed is not None:
                with RejectsFile.open(rejects, self.mapping.feed, sources) as file:
                    rows.rejects = file
                    ingest(rows, sent.extend)
            else:
                ingest(rows, sent.extend)
        await self.apply(sent)
        return report

    async def apply(self, records: Iterable[Record]) -> None:
        parts = replace(
            self.shop.parts(),
            mappings={self.mapping.vendor: self.mapping},
            pictures=self.pictures,
        )
        for record in records:
            packet = Packet.model_validate_json(record.value)
            assert packet.key == record.key
            self.packets.append(packet)
            position = f"catalog.updates/0/{len(self.packets)}"
            await apply_packet(packet, position, parts, lambda: self.now)

    def tomorrow(self) -> None:
        self.now += timedelta(days=1)

    async def entry(self, product_id: str) -> LedgerEntry:
        entry = await self.shop.ledger.read(f"{self.mapping.vendor}:{product_id}")
        assert entry is not None
        return entry

    async def living(self) -> set[str]:
        return {product.product_id for product in await self.live()}


def write_tsv(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """A tab-separated file, the header first."""
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    return path
