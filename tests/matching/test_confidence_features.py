"""The features from which the confidence in a product is computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.matching.calibration import Logistic
from operators.matching.confidence_features import confidence_features
from operators.matching.parts import MatchParts
from operators.matching.ranked_product import RankedProduct
from operators.matching.tagger import Tagger
from operators.ports import Candidate, IndexedAttributes, LayerDescription, Vector
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.catalog import LedgerEntry
from tests.matching.example_looks import CALIBRATION, layer, look, match
from tests.matching.painted import PaintEncoder

REGION: Vector = np.array([1.0, 0.0], np.float32)
TEXT: Vector = np.array([0.0, 1.0], np.float32)
DESCRIPTION = LayerDescription("a red striped shirt", {"colour": "red", "pattern": "striped"})


def product(cosine: float, **attributes: str) -> RankedProduct:
    """A product whose vector has this cosine with REGION."""
    indexed = IndexedAttributes(
        department="top",
        category=attributes.get("category"),
        gender=None,
        colour=attributes.get("colour"),
        pattern=attributes.get("pattern"),
        brand=None,
        market=None,
        sizes=(),
        in_stock=True,
        price_bucket=None,
        currency=None,
        style=None,
        image_hash="",
    )
    vector = np.array([cosine, np.sqrt(1 - cosine**2)], np.float32)
    return RankedProduct.of(Candidate("a:1", cosine, indexed, vector), LedgerEntry(key="a:1"))


@pytest.fixture
def tagger(painted_taxonomy: Taxonomy) -> Tagger:
    return Tagger(PaintEncoder(), painted_taxonomy)


async def test_each_product_is_compared_with_region_text_and_the_best_of_the_others(
    tagger: Tagger,
) -> None:
    products = [product(0.8), product(0.1), product(0.6)]
    first, second, third = await confidence_features(products, DESCRIPTION, TEXT, REGION, tagger)
    assert first == pytest.approx(
        {
            "region": 0.8,
            "text": 0.6,
            "margin": 0.2,
            "first": 1.0,
            "category": 1.0,
            "colour": 1.0,
            "pattern": 1.0,
            "category_gap": 0.0,
            "product_gap": 0.0,
        }
    )
    assert [one["first"] for one in (second, third)] == [0.0, 0.0]
    assert [one["margin"] for one in (second, third)] == pytest.approx([-0.7, -0.2])


async def test_an_only_product_has_its_whole_similarity_as_margin(tagger: Tagger) -> None:
    (features,) = await confidence_features([product(0.8)], DESCRIPTION, TEXT, REGION, tagger)
    assert features["margin"] == pytest.approx(0.8)


async def test_without_a_region_the_text_replaces_it(tagger: Tagger) -> None:
    features, _ = await confidence_features(
        [product(0.8), product(0.6)], DESCRIPTION, TEXT, None, tagger
    )
    assert (features["region"], features["margin"]) == pytest.approx((0.6, 0.6 - 0.8))


@pytest.mark.parametrize(
    ("attributes", "colour", "pattern"),
    [
        ({"colour": "red", "pattern": "striped"}, 1.0, 1.0),
        ({"colour": "blue", "pattern": "striped"}, 0.0, 1.0),
        ({"colour": "red", "pattern": "solid"}, 1.0, 0.0),
        ({"pattern": "striped"}, 1.0, 1.0),
    ],
)
async def test_colour_and_pattern_say_whether_the_description_agrees(
    tagger: Tagger, attributes: dict[str, str], colour: float, pattern: float
) -> None:
    (features,) = await confidence_features(
        [product(0.8, **attributes)], DESCRIPTION, TEXT, REGION, tagger
    )
    assert (features["colour"], features["pattern"]) == (colour, pattern)


async def test_an_undescribed_attribute_agrees_with_any(tagger: Tagger) -> None:
    products = [product(0.8, colour="blue", pattern="solid"), product(0.1, colour="red")]
    features, _ = await confidence_features(
        products, LayerDescription("a shirt", {}), TEXT, REGION, tagger
    )
    assert (features["colour"], features["pattern"]) == (1.0, 1.0)


async def test_each_products_own_attributes_count(tagger: Tagger) -> None:
    products = [product(0.8, colour="red"), product(0.1, colour="blue")]
    best, last = await confidence_features(products, DESCRIPTION, TEXT, REGION, tagger)
    assert (best["colour"], best["text"]) == pytest.approx((1.0, 0.6))
    assert last["colour"] == 0.0


async def test_a_product_of_a_less_likely_category_has_a_category_gap(tagger: Tagger) -> None:
    encoder = PaintEncoder()
    region = await encoder.encode_text("red striped shirt")
    described = LayerDescription(
        "red striped shirt", {"category": "shirt", "colour": "red", "pattern": "striped"}
    )
    other = replace(product(0.8, category="blouse"), vector=region)
    same = replace(product(0.8, category="shirt"), vector=region)
    gaps = [
        (await confidence_features([one], described, region, region, tagger))[0]["category_gap"]
        for one in (same, other)
    ]
    blouse = await encoder.encode_text("red striped blouse")
    assert gaps == pytest.approx([0.0, float((region - blouse) @ region)])
    assert gaps[1] > 0.1


async def test_a_product_that_looks_like_another_category_has_a_product_gap(
    tagger: Tagger,
) -> None:
    encoder = PaintEncoder()
    shirt, blouse = [
        await encoder.encode_text(f"red striped {kind}") for kind in ("shirt", "blouse")
    ]
    described = LayerDescription(
        "red striped shirt", {"category": "shirt", "colour": "red", "pattern": "striped"}
    )
    unknown = product(0.8)
    products = [replace(unknown, vector=shirt), replace(unknown, vector=blouse)]
    found = await confidence_features(products, described, shirt, shirt, tagger)
    gaps = [one["product_gap"] for one in found]
    assert gaps == pytest.approx([0.0, float((blouse - shirt) @ blouse)])
    assert gaps[1] > 0.1


async def test_a_greater_margin_makes_a_layer_more_confident(parts: MatchParts) -> None:
    by_margin = CALIBRATION.model_copy(
        update={"same_item": Logistic(bias=0.0, weights={"margin": 20.0})}
    )
    event = await match(look(), replace(parts, calibration=by_margin))
    assert layer(event, Department.TOP).confidence > 0.5
