from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.vocabulary.taxonomy import Taxonomy
from schemas.settings import MatchingSettings
from tests.doubles import InMemoryIndex, InMemoryLedger, InMemoryThumbnails, StoredPictures
from tests.matching.example_looks import CALIBRATION, KNOWN, URL
from tests.matching.painted import PaintEncoder, add_product, outfit
from tests.virtual_time import VirtualTimeLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Function
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Modules with ``VIRTUAL_TIME = True`` run in virtual time."""
    if getattr(item.module, "VIRTUAL_TIME", False):
        return {"virtual-time": VirtualTimeLoop}
    return {"real-time": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return Taxonomy.load()


@pytest.fixture(scope="session")
def painted_taxonomy(taxonomy: Taxonomy) -> Taxonomy:
    """What the painted world shows."""
    garments = ["shirt", "blouse", "t-shirt", "jeans", "boots", "sundress"]
    looks = ["red", "blue", "green", "black", "white", "yellow", "striped", "solid", "floral"]
    return taxonomy.answering_with([*garments, *looks])


@pytest.fixture
def empty_shop(painted_taxonomy: Taxonomy) -> MatchParts:
    """The painted outfit at URL, and no product."""
    return _empty_shop(painted_taxonomy)


def _empty_shop(painted_taxonomy: Taxonomy) -> MatchParts:
    encoder = PaintEncoder()
    return MatchParts(
        pictures=StoredPictures({URL: outfit()}),
        encoder=encoder,
        index=InMemoryIndex(),
        ledger=InMemoryLedger(),
        segmenter=PatchSegmenter(encoder, KNOWN, CALIBRATION),
        tagger=Tagger(encoder, painted_taxonomy),
        calibration=CALIBRATION,
        thumbnails=InMemoryThumbnails(),
        settings=MatchingSettings(min_products=1, abstain_below=0.5, layer_threshold=0.5),
    )


@pytest.fixture
async def parts(painted_taxonomy: Taxonomy) -> MatchParts:
    """The painted outfit at URL, and a shop with the items it is made of and two more tops."""
    return await painted_shop(painted_taxonomy)


async def painted_shop(painted_taxonomy: Taxonomy) -> MatchParts:
    """The same, for longer than a test."""
    shop = _empty_shop(painted_taxonomy)
    for key, words in {
        "a:shirt": "red top striped shirt white stripes",
        "a:blouse": "red top striped blouse white stripes",
        "a:t-shirt": "blue top striped t-shirt white stripes",
        "a:jeans": "blue bottom solid jeans",
        "a:boots": "black footwear solid boots",
    }.items():
        await add_product(shop.index, shop.ledger, key, words)
    return shop
