"""The catalog flow's own function over a whole life: it ends in the truth, packet by packet."""

from collections import Counter
from dataclasses import dataclass, field

from pydantic import ValidationError

from evaluation.sandbox.index_comparison import compare_index
from operators.catalog.apply import apply_packet
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


async def _apply_all(world: World) -> Applied:
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
    for offset, record in enumerate(world.packet_records()):
        try:
            packet = Packet.model_validate_json(record.value)
            applied = await apply_packet(packet, f"catalog.updates/0/{offset}", parts)
        except (Rejected, ValidationError):
            outcome.fates.append("dead")
        else:
            outcome.fates.append(applied.decision.value)
            outcome.embeddings += applied.embeddings
    await fetcher.close()
    return outcome


async def test_every_packet_meets_its_fate_and_the_index_ends_in_the_truth(
    world: World, truth: Truth
) -> None:
    outcome = await _apply_all(world)
    differing = Counter(
        (known.fate, fate, known.reason)
        for known, fate in zip(truth.packets, outcome.fates, strict=True)
        if known.fate != fate
    )
    assert not differing
    assert outcome.embeddings == truth.embeddings_at_most
    compared = await compare_index(truth, outcome.index, outcome.ledger)
    assert compared.differences == ()
