"""Looks by another hand: where words do not fit, the nearest products decide."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from operators.matching.calibration import CatalogEvidence, Logistic
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from schemas.attributes import Department
from schemas.looks import LookMatches, Region
from tests.doubles import StoredPictures
from tests.matching.example_looks import CALIBRATION, KNOWN, URL, keys, layer, look, match
from tests.matching.painted import (
    BOOTS,
    PAINTS,
    RED_SHIRT,
    Paint,
    PaintEncoder,
    add_product,
    painting,
)

ODD_TOP: Paint = (240, 120, 0)
"""A top in words that no caption has, and its product's picture does."""
SAREE: Paint = (200, 0, 200)
"""Looks a little like a dress; the encoder does not know its department."""
TORN: Paint = (90, 90, 0)
"""As much like a dress as like a top and a bottom."""
HANDS = PaintEncoder(
    {
        **PAINTS,
        ODD_TOP: "top torn felt smock",
        SAREE: "dress silk drape border",
        TORN: "dress top bottom knit rib",
    }
)
ALWAYS, NEVER = Logistic(bias=9, weights={}), Logistic(bias=-9, weights={})
EVIDENCE = CatalogEvidence(
    least_fit=0.8,
    presence=Logistic(bias=0, weights={"log_odds": 1, "margin": 5}),
    one_piece=Logistic(bias=0, weights={"nearer": 50}),
    places={},
    same_item=NEVER,
    same_kind=ALWAYS,
)


class OnePerson:
    """Finds the person in the whole picture."""

    async def find_people(self, image: Image.Image) -> list[Region]:
        return [Region(x0=0, y0=0, x1=1, y1=1)]


def seen(parts: MatchParts, evidence: CatalogEvidence | None, picture: Image.Image) -> MatchParts:
    calibration = CALIBRATION.model_copy(update={"catalog": evidence, "departments": KNOWN})
    return replace(
        parts,
        encoder=HANDS,
        pictures=StoredPictures({URL: picture}),
        calibration=calibration,
        segmenter=PatchSegmenter(HANDS, KNOWN, calibration),
    )


async def add(parts: MatchParts, key: str, facts: str, paint: Paint) -> None:
    """A product with the attributes ``facts``, whose picture shows ``paint``."""
    await add_product(parts.index, parts.ledger, key, facts)
    entry = await parts.index.get(key)
    assert entry is not None
    vector = await HANDS.encode_image(painting((paint, (0, 0, 8, 8)), size=(8, 8)))
    await parts.index.upsert(key, vector, entry.attributes)


@pytest.fixture
async def odd(parts: MatchParts) -> MatchParts:
    await add(parts, "a:smock", "green top solid blouse", ODD_TOP)
    return parts


ODD_LOOK = painting((ODD_TOP, (20, 20, 60, 110)))


async def event(
    parts: MatchParts, evidence: CatalogEvidence | None, picture: Image.Image
) -> LookMatches:
    return await match(look(), seen(parts, evidence, picture))


async def test_where_words_do_not_fit_the_nearest_product_describes_the_layer(
    odd: MatchParts,
) -> None:
    top = layer(await event(odd, EVIDENCE, ODD_LOOK), Department.TOP)
    assert keys(top)[0] == "a:smock"
    assert top.query == "green solid blouse"
    assert top.products[0].outcome == "similar"
    assert top.products[0].same_kind == pytest.approx(1, abs=1e-3)


async def test_where_words_fit_the_tagger_describes_the_layer(odd: MatchParts) -> None:
    fitting = EVIDENCE.model_copy(update={"least_fit": -1.0})
    by_words, without = [
        layer(await event(odd, evidence, ODD_LOOK), Department.TOP) for evidence in (fitting, None)
    ]
    assert by_words == without
    assert by_words.query != "green solid blouse"


async def test_what_no_product_is_like_is_not_reported(odd: MatchParts) -> None:
    """The picture alone is sure of the top; a catalog that sells none like it is not."""
    strict = EVIDENCE.model_copy(update={"presence": Logistic(bias=-9, weights={"margin": 30})})
    assert [one.layer for one in (await event(odd, strict, ODD_LOOK)).layers] == [Department.TOP]
    await odd.index.delete("a:smock")
    assert (await event(odd, strict, ODD_LOOK)).layers == ()


async def test_a_department_that_the_encoder_has_no_words_for_is_the_products(
    parts: MatchParts,
) -> None:
    for number in range(6):
        await add(parts, f"a:saree-{number}", "red ethnic_wear solid saree", SAREE)
    found = await event(parts, EVIDENCE, painting((SAREE, (20, 20, 60, 100))))
    assert [one.layer for one in found.layers] == [Department.ETHNIC_WEAR]
    assert found.layers[0].query == "red solid saree"


@pytest.mark.parametrize(
    ("sold", "expected"),
    [
        ("red dress solid sundress", {Department.DRESS}),
        ("red top solid blouse", {Department.TOP}),
    ],
)
async def test_an_open_reading_is_decided_by_what_is_sold(
    parts: MatchParts, sold: str, expected: set[Department]
) -> None:
    await add(parts, "a:torn", sold, TORN)
    found = await event(parts, EVIDENCE, painting((TORN, (20, 20, 60, 100))))
    assert {one.layer for one in found.layers} - {Department.FOOTWEAR} == expected


async def test_a_layer_is_looked_for_at_its_usual_place_too(odd: MatchParts) -> None:
    """Boots that look like a wall hide at the feet."""
    shoes = Region(x0=0.25, y0=0.8, x1=0.75, y1=1)
    evidence = EVIDENCE.model_copy(
        update={
            "places": {Department.FOOTWEAR: (shoes,)},
            "presence": Logistic(bias=0, weights={"margin": 5}),
        }
    )
    picture = painting(
        (ODD_TOP, (20, 20, 60, 90)), (BOOTS, (20, 98, 60, 118)), (RED_SHIRT, (0, 0, 4, 4))
    )
    parts = replace(seen(odd, evidence, picture), person_finder=OnePerson())
    boots = layer(await match(look(), parts), Department.FOOTWEAR)
    assert keys(boots) == ["a:boots"]
