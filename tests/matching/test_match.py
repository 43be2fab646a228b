"""A look from picture to products, through the public door."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from doubles import InMemoryCache, InMemoryIndex, InMemoryLedger, InMemoryThumbnails, StoredPictures
from painted import BOOTS, SUNDRESS, PaintEncoder, add_product, outfit, painting
from PIL.Image import Image

from operators.budget import Budget
from operators.matching.calibration import Calibration, Logistic
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.tagger import Tagger
from operators.ports import Candidate, Filters, LayerDescription, Picture, Vector
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department, Gender
from schemas.errors import DeadlineExceeded, ImageRefused, Unavailable
from schemas.ids import matched_event_id
from schemas.looks import ImageReference, LayerMatch, Look, LookMatches, Preferences
from schemas.money import Money
from schemas.rerank import RerankMethod
from schemas.settings import MatchingSettings

URL = "https://looks.example/1.jpg"
KNOWN = (Department.TOP, Department.BOTTOM, Department.DRESS, Department.FOOTWEAR)
CALIBRATION = Calibration(patch_scale=20, same_item=Logistic(bias=-18, weights={"region": 20}))


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    garments = ["shirt", "blouse", "t-shirt", "jeans", "boots", "sundress"]
    looks = ["red", "blue", "green", "black", "white", "yellow", "striped", "solid", "floral"]
    return Taxonomy.load().answering_with([*garments, *looks])


@pytest_asyncio.fixture
async def parts(taxonomy: Taxonomy) -> MatchParts:
    index, ledger, encoder = InMemoryIndex(), InMemoryLedger(), PaintEncoder()
    await add_product(index, ledger, "a:shirt", "red top striped shirt white stripes")
    await add_product(index, ledger, "a:blouse", "red top striped blouse white stripes")
    await add_product(index, ledger, "a:t-shirt", "blue top striped t-shirt white stripes")
    await add_product(index, ledger, "a:jeans", "blue bottom solid jeans")
    await add_product(index, ledger, "a:boots", "black footwear solid boots")
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
    )


def look(look_id: str = "look-1", url: str = URL, **fields: Any) -> Look:
    return Look.model_validate(
        {"look_id": look_id, "image": ImageReference(url=url, data=None), **fields}
    )


async def match(asked: Look, parts: MatchParts, seconds: float = 30) -> LookMatches:
    return await match_look(asked, parts, Budget.of(seconds))


def layer(event: LookMatches, department: Department) -> LayerMatch:
    return next(match for match in event.layers if match.layer == department)


def keys(match: LayerMatch) -> list[str]:
    return [found.product.key for found in match.products]


async def test_each_layer_gets_its_products(parts: MatchParts) -> None:
    event = await match(look(user_id="user-1", market="IN"), parts)
    assert event.event_id == matched_event_id("look-1")
    assert (event.user_id, event.market) == ("user-1", "IN")
    assert (event.refused, event.degraded, event.cached) == (None, (), False)
    assert [m.layer for m in event.layers] == [
        Department.TOP,
        Department.BOTTOM,
        Department.FOOTWEAR,
    ]
    top = layer(event, Department.TOP)
    assert top.query == "red striped shirt with white stripes"
    assert keys(top)[0] == "a:shirt"
    assert [found.rank for found in top.products] == [1, 2, 3]
    assert sorted((found.score for found in top.products), reverse=True) == [
        found.score for found in top.products
    ]
    assert top.region is not None
    assert top.confidence > 0.5
    assert keys(layer(event, Department.BOTTOM)) == ["a:jeans"]
    stages = {"fetch", "segment", "regions", "describe", "vectorize", "retrieve", "rerank", "total"}
    assert stages <= event.timings_ms.keys()
    assert event.models == {"encoder": "paint"}


async def test_explicit_wishes_hold_and_only_guesses_give_way(parts: MatchParts) -> None:
    asked = look(
        preferences=Preferences(excluded_brands=("nima",)),
        inferred=Preferences(colours=("red",)),
    )
    await add_product(
        parts.index,
        parts.ledger,
        "b:t-shirt",
        "blue top striped t-shirt white stripes",
        brand="Rua",
    )
    event = await match(asked, replace(parts, settings=lenient(parts)))
    assert keys(layer(event, Department.TOP)) == ["b:t-shirt"]
    assert layer(event, Department.TOP).relaxed == ("colours",)
    assert layer(event, Department.BOTTOM).abstained == "nothing-found"


def lenient(parts: MatchParts) -> MatchingSettings:
    return parts.settings.model_copy(update={"abstain_below": 0.0})


@pytest.mark.parametrize(
    "wish",
    [
        {"preferences": Preferences(max_price=Money(amount_minor=999, currency="INR"))},
        {"preferences": Preferences(max_price=Money(amount_minor=1000, currency="USD"))},
        {"preferences": Preferences(sizes={Department.TOP: ("ALPHA:XL",)})},
        {"preferences": Preferences(colours=("green",))},
        {"gender": Gender.MALE},
        {"market": "JP"},
    ],
)
async def test_nothing_is_shown_that_breaks_an_explicit_wish(
    parts: MatchParts, wish: dict[str, Any]
) -> None:
    event = await match(look(**wish), parts)
    assert layer(event, Department.TOP).products == ()
    assert layer(event, Department.TOP).abstained == "nothing-found"


async def test_the_ledger_has_the_last_word(parts: MatchParts) -> None:
    """The index still holds what was sold out, or re-priced, a moment ago."""
    entry = await parts.ledger.read("a:shirt")
    assert entry is not None
    sold_out = entry.update.model_copy(update={"stock": 0})
    await parts.ledger.write(entry.model_copy(update={"update": sold_out}))
    entry = await parts.ledger.read("a:blouse")
    assert entry is not None
    await parts.ledger.write(entry.model_copy(update={"deleted_version": 2}))
    event = await match(look(), replace(parts, settings=lenient(parts)))
    assert keys(layer(event, Department.TOP)) == ["a:t-shirt"]


async def test_variants_are_folded_and_the_list_is_refilled(parts: MatchParts) -> None:
    for number in range(30):
        await add_product(
            parts.index,
            parts.ledger,
            f"c:{number:02d}",
            "red top striped shirt white stripes",
            style="c:one-style",
        )
    for number, word in enumerate(("pink", "grey", "black", "navy")):
        await add_product(
            parts.index, parts.ledger, f"d:{number}", f"{word} top dotted sweater white dots"
        )
    settings = parts.settings.model_copy(
        update={"products_per_layer": 6, "over_fetch": 1, "abstain_below": 0.0}
    )
    top = layer(await match(look(), replace(parts, settings=settings)), Department.TOP)
    assert len(top.products) == 6
    assert sum(key.startswith("c:") or key == "a:shirt" for key in keys(top)) == 1
    assert top.folded == 30


async def test_a_layer_without_a_likely_product_abstains(parts: MatchParts) -> None:
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.index.delete(key)
    await add_product(parts.index, parts.ledger, "a:tank", "grey top solid tank")
    top = layer(await match(look(), parts), Department.TOP)
    assert (top.products, top.abstained) == ((), "below-threshold")
    assert top.query == "red striped shirt with white stripes"
    assert top.confidence < 0.5


async def test_only_layers_asked_for_are_matched(parts: MatchParts) -> None:
    event = await match(look(preferences=Preferences(departments=(Department.TOP,))), parts)
    assert [m.layer for m in event.layers] == [Department.TOP]
    event = await match(look(inferred=Preferences(departments=(Department.WATCH,))), parts)
    assert len(event.layers) == 3


async def test_a_picture_that_is_refused_ends_with_the_reason(parts: MatchParts) -> None:
    event = await match(look(url="https://looks.example/none.jpg"), parts)
    assert (event.refused, event.layers) == ("not-found", ())
    assert event.event_id == matched_event_id("look-1")


async def test_a_picture_without_garments_is_refused(parts: MatchParts) -> None:
    parts = replace(parts, pictures=StoredPictures({URL: painting()}))
    event = await match(look(), parts)
    assert (event.refused, event.layers) == ("no-garment-found", ())


async def test_a_reference_picture_that_fails_is_only_a_degradation(parts: MatchParts) -> None:
    asked = look(reference_images=(ImageReference(url="https://looks.example/no.jpg", data=None),))
    event = await match(asked, parts)
    assert event.degraded == ("reference:not-found",)
    assert keys(layer(event, Department.TOP))[0] == "a:shirt"


async def test_an_outage_is_not_an_answer(parts: MatchParts) -> None:
    gone = StoredPictures({URL: Unavailable("the host does not answer")})
    with pytest.raises(Unavailable):
        await match(look(), replace(parts, pictures=gone))

    class DownIndex(InMemoryIndex):
        async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
            raise Unavailable("the index is restarting")

    before = asyncio.all_tasks()
    with pytest.raises(Unavailable):
        await match(look(), replace(parts, index=DownIndex()))
    assert asyncio.all_tasks() == before


class SlowPictures(StoredPictures):
    async def fetch(self, reference: ImageReference) -> Picture:
        await asyncio.sleep(10)
        return await super().fetch(reference)


async def test_no_time_to_see_the_look_ends_with_an_event(parts: MatchParts) -> None:
    slow = SlowPictures({URL: outfit()})
    event = await match(look(), replace(parts, pictures=slow), seconds=0.05)
    assert (event.refused, event.degraded) == ("deadline", ("look:deadline",))


async def test_a_late_layer_does_not_take_the_others_with_it(parts: MatchParts) -> None:
    class SlowForTops(InMemoryIndex):
        async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
            if filters.department == "top":
                await asyncio.sleep(10)
            return await super().search(vector, filters, limit)

    slow = SlowForTops()
    assert isinstance(parts.index, InMemoryIndex)
    slow.objects = parts.index.objects
    event = await match(look(), replace(parts, index=slow), seconds=1.5)
    assert event.degraded == ("layer:deadline",)
    assert layer(event, Department.TOP).abstained == "deadline"
    assert keys(layer(event, Department.BOTTOM)) == ["a:jeans"]


class Cached:
    """A look matched once with a cache; then matched again under whatever has changed."""

    def __init__(self, parts: MatchParts) -> None:
        self.cache = InMemoryCache()
        self.parts = replace(parts, cache=self.cache)


async def test_the_same_picture_in_the_same_context_is_remembered(parts: MatchParts) -> None:
    known = Cached(parts)
    first = await match(look("one", user_id="ann"), known.parts)
    assert isinstance(parts.encoder, PaintEncoder)
    encoded = parts.encoder.encoded
    again = await match(look("two", user_id="ben"), known.parts)
    assert again.cached
    assert again.layers == first.layers
    assert (again.look_id, again.user_id) == ("two", "ben")
    assert again.event_id == matched_event_id("two")
    assert parts.encoder.encoded == encoded
    assert set(known.cache.ttl_seconds.values()) == {parts.settings.cache_seconds}


async def test_another_context_is_another_result(parts: MatchParts) -> None:
    known = Cached(parts)
    await match(look(), known.parts)
    for asked in (
        look(market="IN"),
        look(gender=Gender.FEMALE),
        look(preferences=Preferences(colours=("red",))),
        look(inferred=Preferences(colours=("red",))),
    ):
        assert not (await match(asked, known.parts)).cached
    settings = parts.settings.model_copy(update={"text_weight": 0.9})
    assert not (await match(look(), replace(known.parts, settings=settings))).cached
    assert (await match(look(), known.parts)).cached


async def test_a_remembered_product_that_changed_voids_the_result(parts: MatchParts) -> None:
    known = Cached(parts)
    await match(look(), known.parts)
    entry = await parts.ledger.read("a:jeans")
    assert entry is not None
    sold_out = entry.update.model_copy(update={"stock": 0})
    await parts.ledger.write(entry.model_copy(update={"update": sold_out}))
    event = await match(look(), known.parts)
    assert not event.cached
    assert keys(layer(event, Department.BOTTOM)) == []


async def test_a_degraded_result_is_not_remembered(parts: MatchParts) -> None:
    known = Cached(parts)
    asked = look(reference_images=(ImageReference(url="https://looks.example/no.jpg", data=None),))
    await match(asked, known.parts)
    assert known.cache.values == {}


class ScriptedModel:
    """A vision-language model that answers as told."""

    fingerprint = "scripted"

    def __init__(
        self,
        described: dict[Department, LayerDescription] | Exception | None,
        answers: dict[bytes, float | None] | Exception | None = None,
    ) -> None:
        self._described = described
        self._answers = answers

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        if self._described is None:
            await asyncio.sleep(60)
        if isinstance(self._described, Exception):
            raise self._described
        return self._described or {}

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        if self._answers is None:
            await asyncio.sleep(60)
        if isinstance(self._answers, Exception):
            raise self._answers
        return [(self._answers or {}).get(candidate) for candidate in candidates]


TOP_ONLY = {Department.TOP: LayerDescription("a blue striped t-shirt", {"category": "t-shirt"})}


async def test_the_language_model_names_the_layers_and_orders_the_products(
    parts: MatchParts,
) -> None:
    for number, key in enumerate(("a:shirt", "a:blouse", "a:t-shirt")):
        await parts.thumbnails.put(key, painting(size=(20 + number, 20)))
    pictures = [await parts.thumbnails.get(key) for key in ("a:shirt", "a:blouse", "a:t-shirt")]
    shirt, blouse, t_shirt = [picture or b"" for picture in pictures]
    vlm = ScriptedModel(TOP_ONLY, {shirt: 0.1, blouse: None, t_shirt: 0.9})
    alone = lenient(parts).model_copy(update={"rerank_weight": 1.0})
    event = await match(look(), replace(parts, vlm=vlm, settings=alone))
    assert event.degraded == ()
    assert event.models["vlm"] == "scripted"
    assert [m.layer for m in event.layers] == [Department.TOP]
    assert event.layers[0].query == "a blue striped t-shirt"
    assert keys(event.layers[0]) == ["a:t-shirt", "a:blouse", "a:shirt"]


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Unavailable("the model server is down"), "unavailable"),
        (DeadlineExceeded("too slow"), "deadline"),
        (None, "deadline"),
    ],
)
async def test_without_the_language_model_the_tagger_describes_and_similarity_ranks(
    parts: MatchParts, failure: Exception | None, cause: str
) -> None:
    for key in ("a:shirt", "a:blouse", "a:t-shirt", "a:jeans", "a:boots"):
        await parts.thumbnails.put(key, painting(size=(20, 20)))
    vlm = ScriptedModel(failure, failure)
    event = await match(look(), replace(parts, vlm=vlm), seconds=1.5)
    assert set(event.degraded) == {f"describe:{cause}", f"rerank:{cause}"}
    assert layer(event, Department.TOP).query == "red striped shirt with white stripes"
    assert keys(layer(event, Department.TOP))[0] == "a:shirt"


async def test_whoever_describes_a_layer_has_its_own_confidence(parts: MatchParts) -> None:
    never = CALIBRATION.model_copy(update={"same_item_described": Logistic(bias=-50, weights={})})
    parts = replace(parts, calibration=never)
    by_tagger = layer(await match(look(), parts), Department.TOP)
    by_model = layer(
        await match(look(), replace(parts, vlm=ScriptedModel(TOP_ONLY, {}))), Department.TOP
    )
    assert by_tagger.products
    assert (by_model.abstained, by_model.products) == ("below-threshold", ())


@pytest.mark.parametrize("method", [RerankMethod.NONE, RerankMethod.SIMILARITY])
async def test_a_model_that_is_not_to_judge_is_not_asked(
    parts: MatchParts, method: RerankMethod
) -> None:
    vlm = ScriptedModel(TOP_ONLY, AssertionError("asked"))
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.thumbnails.put(key, painting(size=(20, 20)))
    settings = lenient(parts).model_copy(update={"rerank": method})
    event = await match(look(), replace(parts, vlm=vlm, settings=settings))
    assert event.degraded == ()
    assert sorted(keys(event.layers[0])) == ["a:blouse", "a:shirt", "a:t-shirt"]


async def test_a_layer_may_have_a_method_of_its_own(parts: MatchParts) -> None:
    vlm = ScriptedModel(TOP_ONLY, AssertionError("asked"))
    await parts.thumbnails.put("a:shirt", painting(size=(20, 20)))
    own = {"rerank_layers": {Department.TOP: RerankMethod.SIMILARITY}}
    settings = lenient(parts).model_copy(update=own)
    event = await match(look(), replace(parts, vlm=vlm, settings=settings))
    assert event.degraded == ()


async def test_a_layer_the_picture_does_not_show_is_searched_by_its_text(
    parts: MatchParts,
) -> None:
    said = {Department.DRESS: LayerDescription("green floral sundress", {})}
    await add_product(
        parts.index, parts.ledger, "a:dress", "green dress floral sundress yellow flowers"
    )
    vlm = ScriptedModel(said, {})
    event = await match(look(), replace(parts, vlm=vlm, settings=lenient(parts)))
    dress = layer(event, Department.DRESS)
    assert (dress.region, keys(dress)) == (None, ["a:dress"])


@pytest.mark.parametrize("queries", ["text", "region", "fused"])
async def test_every_kind_of_query_finds_the_item(parts: MatchParts, queries: str) -> None:
    settings = parts.settings.model_copy(update={"queries": queries})
    event = await match(look(), replace(parts, settings=settings))
    assert keys(layer(event, Department.TOP))[0] == "a:shirt"


async def test_a_dress_over_boots(parts: MatchParts) -> None:
    picture = painting((SUNDRESS, (20, 20, 60, 100)), (BOOTS, (20, 100, 60, 118)))
    event = await match(look(), replace(parts, pictures=StoredPictures({URL: picture})))
    assert [m.layer for m in event.layers] == [Department.DRESS, Department.FOOTWEAR]
    assert layer(event, Department.DRESS).abstained == "nothing-found"


async def test_a_refused_picture_is_no_outage(parts: MatchParts) -> None:
    refused = StoredPictures({URL: ImageRefused("a bomb", reason="too-large")})
    assert (await match(look(), replace(parts, pictures=refused))).refused == "too-large"
