"""Products for tests of vector stores."""

from __future__ import annotations

from operators.ports import Filters, IndexedAttributes, Vector
from tests.doubles import unit_vector

DIMENSION = 16
FINGERPRINT = "encoder-a"

PLAIN = IndexedAttributes(
    department="top",
    category="t-shirt",
    gender="female",
    colour="navy",
    pattern="solid",
    brand="zari",
    market="IN",
    sizes=("ALPHA:M", "UK:8"),
    in_stock=True,
    price_bucket=12,
    currency="INR",
    style="zari:style-1",
    image_hash="00ff",
)
BARE = IndexedAttributes(
    department=None,
    category=None,
    gender=None,
    colour=None,
    pattern=None,
    brand=None,
    market=None,
    sizes=(),
    in_stock=False,
    price_bucket=None,
    currency=None,
    style=None,
    image_hash="",
)
ALL = Filters(in_stock=False)


def vector(seed: object) -> Vector:
    return unit_vector(str(seed).encode(), DIMENSION)
