"""Redis is away or emptied: the stream waits, who asks online is answered by the index alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from doubles import InMemoryCache, InMemoryIndex, InMemoryLedger, InMemoryThumbnails, StoredPictures
from painted import PaintEncoder, add_product, outfit

from operators.budget import Budget
from operators.matching.calibration import Calibration, Logistic
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.vocabulary.price_bucket import price_bucket
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost, LookSyncError, Unavailable
from schemas.looks import ImageReference, LayerMatch, Look, LookMatches
from schemas.money import Money
from schemas.settings import MatchingSettings

URL = "https://looks.example/1.jpg"
KNOWN = (Department.TOP, Department.BOTTOM, Department.DRESS, Department.FOOTWEAR)
CALIBRATION = Calibration(patch_scale=20, same_item=Logistic(bias=-18, weights={"region": 20}))
AWAY, LOST = Unavailable("away"), LedgerLost("emptied", reason="ledger-lost")


class BrokenLedger(InMemoryLedger):
    """Answers nothing but ``error``, when it has one."""

    error: LookSyncError | None = None

    async def read_many(self, keys: Sequence[str]) -> list[LedgerEntry | None]:
        if self.error is not None:
            raise self.error
        return await super().read_many(keys)


@pytest.fixture
async def parts() -> MatchParts:
    index, ledger, encoder = InMemoryIndex(), BrokenLedger(), PaintEncoder()
    shirt = "red top striped shirt white stripes"
    await add_product(index, ledger, "a:shirt", shirt, price=900, brand="Sundari", size="ALPHA:M")
    stored = index.objects["a:shirt"][1]
    bucket = price_bucket(Money(amount_minor=900, currency="INR"))
    await index.patch("a:shirt", replace(stored, price_bucket=bucket))
    await add_product(index, ledger, "a:sold-out", shirt, stock=0)
    await add_product(index, ledger, "a:elsewhere", shirt, market="JP")
    garments = ["shirt", "blouse", "t-shirt", "jeans", "boots", "sundress"]
    looks = ["red", "blue", "green", "black", "white", "yellow", "striped", "solid", "floral"]
    taxonomy = Taxonomy.load().answering_with([*garments, *looks])
    return MatchParts(
        pictures=StoredPictures({URL: outfit()}),
        encoder=encoder,
        index=index,
        ledger=ledger,
        segmenter=PatchSegmenter(encoder, KNOWN, CALIBRATION),
        tagger=Tagger(encoder, taxonomy),
        calibration=CALIBRATION,
        thumbnails=InMemoryThumbnails(),
        settings=MatchingSettings(min_products=1, abstain_below=0.5, layer_threshold=0.5),
        cache=InMemoryCache(),
        waits_for_ledger=False,
    )


async def match(parts: MatchParts, **wishes: object) -> LookMatches:
    look = Look.model_validate(
        {
            "look_id": "look-1",
            "market": "IN",
            "image": ImageReference(url=URL, data=None),
            "preferences": wishes,
        }
    )
    return await match_look(look, parts, Budget.of(30))


def shown(event: LookMatches) -> list[str]:
    top: LayerMatch = next(layer for layer in event.layers if layer.layer == Department.TOP)
    return [found.product.key for found in top.products]


@pytest.mark.parametrize("error", [AWAY, LOST])
async def test_the_stream_waits_or_stops(parts: MatchParts, error: LookSyncError) -> None:
    parts.ledger.error = error
    with pytest.raises(type(error)):
        await match(replace(parts, waits_for_ledger=True))


@pytest.mark.parametrize(
    ("error", "told"), [(AWAY, "ledger:unavailable"), (LOST, "ledger:ledger-lost")]
)
async def test_online_the_index_alone_decides_and_the_answer_says_so(
    parts: MatchParts, error: LookSyncError, told: str
) -> None:
    parts.ledger.error = error
    event = await match(parts)
    assert event.degraded == (told,)
    assert shown(event) == ["a:shirt"]  # not what is sold out, nor what another market sells
    (product,) = [found.product for layer in event.layers for found in layer.products]
    assert (product.update.price, product.update.title) == (None, "")
    assert product.attributes.department is not None
    assert product.attributes.department.value == "top"


async def test_no_wish_for_a_price_is_granted_by_a_price_that_is_not_known(
    parts: MatchParts,
) -> None:
    cheap = {"max_price": {"amount_minor": 1000, "currency": "INR"}}
    assert shown(await match(parts, **cheap)) == ["a:shirt"]
    parts.ledger.error = AWAY
    assert shown(await match(parts, **cheap)) == []


async def test_other_wishes_are_still_granted(parts: MatchParts) -> None:
    parts.ledger.error = AWAY
    assert shown(await match(parts, brands=["sundari"], sizes={"top": ["ALPHA:M"]})) == ["a:shirt"]
    assert shown(await match(parts, excluded_brands=["Sundari"])) == []
    assert shown(await match(parts, sizes={"top": ["ALPHA:XL"]})) == []


async def test_a_degraded_answer_is_not_kept_and_a_kept_one_not_shown_unchecked(
    parts: MatchParts,
) -> None:
    parts.ledger.error = AWAY
    assert not (await match(parts)).cached
    parts.ledger.error = None
    whole = await match(parts)
    assert (whole.cached, whole.degraded) == (False, ())
    assert (await match(parts)).cached
    parts.ledger.error = LOST
    again = await match(parts)
    assert (again.cached, again.degraded) == (False, ("ledger:ledger-lost",))
