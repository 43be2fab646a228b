"""The catalog flow's own function over a whole life: it ends in the truth, packet by packet."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from evaluation.sandbox.index_comparison import compare_index
from operators.catalog.apply import apply_packet
from operators.catalog.apply_batch import apply_batch
from operators.catalog.mapping import load_mappings
from operators.catalog.parts import CatalogParts
from operators.catalog.standardise import Standardiser
from operators.images.fetch import PictureFetcher
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.life import Truth, World
from schemas.catalog import Packet
from schemas.errors import Rejected
from schemas.settings import ImageSettings, Settings
from tests.doubles import (
    HashEncoder,
    InMemoryIndex,
    InMemoryLedger,
    InMemorySchedule,
    InMemoryThumbnails,
)


@dataclass
class Applied:
    index: InMemoryIndex = field(default_factory=InMemoryIndex)
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    fates: list[str] = field(default_factory=list)
    embeddings: int = 0


async def _apply_all(world: World, size: int) -> Applied:
    outcome, encoder = Applied(), HashEncoder()
    fetcher = PictureFetcher(ImageSettings(allowed_roots=(world.folder,), http_cache=None))
    parts = CatalogParts(
        mappings=load_mappings(Settings().catalog.mappings),
        standardiser=Standardiser(encoder, Taxonomy.load(), threshold=0.75),
        pictures=fetcher,
        encoder=encoder,
        index=outcome.index,
        ledger=outcome.ledger,
        thumbnails=InMemoryThumbnails(),
        schedule=InMemorySchedule(),
    )
    packets: list[tuple[Packet, str]] = []
    for offset, record in enumerate(world.packet_records()):
        outcome.fates.append("dead")
        with suppress(ValidationError):
            packet = Packet.model_validate_json(record.value)
            packets.append((packet, f"catalog.updates/0/{offset}"))
    for start in range(0, len(packets), size):
        batch = packets[start : start + size]
        results = await apply_batch(batch, parts) if size > 1 else [None]
        for (packet, position), applied in zip(batch, results, strict=True):
            with suppress(Rejected):
                applied = applied or await apply_packet(packet, position, parts)
                outcome.fates[int(position.rpartition("/")[2])] = applied.decision.value
                outcome.embeddings += applied.embeddings
    await fetcher.close()
    return outcome


@pytest.mark.parametrize("size", [1, 9, 200], ids=["one by one", "batches of 9", "of 200"])
async def test_every_packet_meets_its_fate_and_the_index_ends_in_the_truth(
    world: World, truth: Truth, size: int
) -> None:
    outcome = await _apply_all(world, size)
    differing = Counter(
        (known.fate, fate, known.reason)
        for known, fate in zip(truth.packets, outcome.fates, strict=True)
        if known.fate != fate
    )
    assert not differing
    assert outcome.embeddings == truth.embeddings_at_most
    compared = await compare_index(truth, outcome.index, outcome.ledger)
    assert compared.differences == ()
