"""What the nearest products say of a layer, in figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from operators.matching.catalog_evidence import (
    one_piece_features,
    presence_features,
    product_features,
    unnamed_department,
    voted_description,
)
from operators.matching.ranked_product import RankedProduct
from operators.ports import Candidate, IndexedAttributes
from schemas.attributes import Department
from schemas.catalog import LedgerEntry, ProductUpdate

NAMED = (Department.TOP, Department.BOTTOM)


def attributes(**values: str | None) -> IndexedAttributes:
    known = {"department": "top", "category": "shirt", "colour": "red", "pattern": "striped"}
    return IndexedAttributes(
        **{**known, **values},
        gender="female",
        brand=None,
        market="IN",
        sizes=(),
        in_stock=True,
        price_bucket=None,
        currency="INR",
        style=None,
        image_hash="",
    )


def near(similarity: float, department: str = "top") -> Candidate:
    vector = np.array([1.0, 0.0], dtype=np.float32)
    return Candidate(
        key=f"a:{similarity}",
        similarity=similarity,
        vector=vector,
        attributes=attributes(department=department),
    )


def product(similarity: float, **values: str | None) -> RankedProduct:
    """A product with this cosine to the region [1, 0]."""
    vector = np.array([similarity, math.sqrt(1 - similarity**2)], dtype=np.float32)
    entry = LedgerEntry(key=f"a:{similarity}", version=1, update=ProductUpdate(title=""))
    found = Candidate(
        key=entry.key, similarity=similarity, vector=vector, attributes=attributes(**values)
    )
    return RankedProduct.of(found, entry)


REGION = np.array([1.0, 0.0], dtype=np.float32)


def test_a_department_is_shown_as_its_products_are_nearer_than_others() -> None:
    nearest = [near(0.9), near(0.8, "bottom"), near(0.7, "bag")]
    features = presence_features(0.5, nearest, 0.9, Department.TOP)
    assert features == {"log_odds": 0.0, "margin": pytest.approx(0.1)}
    assert presence_features(0.5, nearest, 0.7, Department.BAG)["margin"] == pytest.approx(-0.2)


def test_no_picture_alone_is_surer_than_log_odds_of_six() -> None:
    sure = [presence_features(p, [], 0.0, Department.TOP)["log_odds"] for p in (0.0, 1.0)]
    assert sure == pytest.approx([-6, 6], abs=0.02)


def test_a_dress_is_compared_with_the_mean_of_two_pieces() -> None:
    features = one_piece_features(0.5, 0.9, [0.8, 0.6])
    assert features == {"log_odds": 0.0, "nearer": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("departments", "expected"),
    [
        (["ethnic_wear"] * 6 + ["top"] * 4, Department.ETHNIC_WEAR),
        (["ethnic_wear"] * 5 + ["top"] * 5, None),
        (["top"] * 10, None),
        (["top"] * 4 + ["bag"] * 6 + ["ethnic_wear"] * 10, Department.BAG),
        ([], None),
    ],
    ids=["most", "half", "named already", "the ten nearest", "an empty shop"],
)
def test_most_of_the_ten_nearest_name_a_department_that_the_encoder_cannot(
    departments: list[str], expected: Department | None
) -> None:
    assert unnamed_department([near(0.9, one) for one in departments], NAMED) == expected


def test_nearer_products_have_more_votes() -> None:
    """The blouse's one vote is worth 1, those of two shirts .1 farther e^-2 each."""
    products = [product(0.9, category="blouse"), product(0.8), product(0.8, colour="blue")]
    described = voted_description(Department.TOP, products)
    assert described.attributes == {"category": "blouse", "colour": "red", "pattern": "striped"}
    assert described.query == "red striped blouse"
    shares = [one["share"] for one in product_features(products, REGION)]
    shirts = 2 * math.exp(-2) / (1 + 2 * math.exp(-2))
    assert shares == pytest.approx([1 - shirts, shirts, shirts], abs=1e-3)


def test_many_near_products_outvote_the_nearest() -> None:
    products = [product(0.9, category="blouse"), product(0.89), product(0.88)]
    assert voted_description(Department.TOP, products).attributes["category"] == "shirt"


def test_without_a_stated_category_a_layer_is_called_by_its_department() -> None:
    unknown = product(0.9, category=None, pattern=None)
    described = voted_description(Department.ETHNIC_WEAR, [unknown])
    assert described.query == "red ethnic wear"
    assert described.attributes == {"colour": "red"}


def test_a_product_is_judged_by_its_cosine_and_its_lead() -> None:
    first, second = product_features([product(0.9), product(0.7)], REGION)
    assert first == {
        "region": pytest.approx(0.9),
        "margin": pytest.approx(0.2),
        "first": 1.0,
        "share": 1.0,
    }
    assert second["margin"] == pytest.approx(-0.2)
    assert second["first"] == 0.0
