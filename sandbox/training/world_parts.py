"""A drawn world's catalog, indexed in a temporary folder, and the parts that match its looks."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from evaluation.sandbox.indexed_world import MemoryLedger, index_world
from operators.catalog.standardise import Standardiser
from operators.images.fetch import PictureFetcher
from operators.matching.calibration import Calibration
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.ports import ImageTextEncoder
from operators.stores.sqlite.index import SqliteIndex
from operators.stores.thumbnails import ThumbnailFolder
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.life import World
from schemas.settings import (
    BatchSettings,
    CatalogSettings,
    ImageSettings,
    MatchingSettings,
    ThumbnailSettings,
)


@asynccontextmanager
async def indexed(
    world: World,
    encoder: ImageTextEncoder,
    calibration: Calibration,
    of_products: ImageTextEncoder | None = None,
) -> AsyncIterator[MatchParts]:
    """The parts, without a vision-language model. ``of_products``: embeds products in place of
    ``encoder``."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        index = SqliteIndex.open(
            folder / "index.sqlite",
            fingerprint=encoder.fingerprint,
            dimension=encoder.dimension,
            writes=BatchSettings(max_size=512),
        )
        ledger = MemoryLedger()
        thumbnails = ThumbnailFolder.open(ThumbnailSettings(url=str(folder / "thumbnails")))
        taxonomy = Taxonomy.load().answering_with(calibration.labels or ())
        standardiser = Standardiser(encoder, taxonomy, CatalogSettings().zero_shot_threshold)
        segmenter = PatchSegmenter(encoder, calibration.departments, calibration)
        await index_world(world, of_products or encoder, index, ledger, thumbnails, standardiser)
        yield MatchParts(
            pictures=PictureFetcher(ImageSettings(allowed_roots=(world.folder,), http_cache=None)),
            encoder=encoder,
            index=index,
            ledger=ledger,
            segmenter=segmenter,
            tagger=Tagger(encoder, taxonomy),
            calibration=calibration,
            thumbnails=thumbnails,
            settings=MatchingSettings(),
            person_finder=segmenter,
        )
        await index.close()
