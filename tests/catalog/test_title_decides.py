"""The title is used, too, when the picture leaves an attribute undecided."""

from __future__ import annotations

import numpy as np
import pytest

from operators.catalog.standardise import Standardiser
from operators.ports import Vector
from operators.vocabulary.taxonomy import Taxonomy
from schemas.catalog import ProductUpdate
from tests.doubles import HashEncoder

SNEAKERS: Vector = np.array([1.0, 0.0], np.float32)
BOOTS: Vector = np.array([0.0, 1.0], np.float32)
BETWEEN: Vector = np.array([np.sqrt(0.5), np.sqrt(0.5)], np.float32)
"""A picture between two categories."""


class ShoeEncoder(HashEncoder):
    """Reads "runner" as sneakers and "hiker" as boots, which no rule does."""

    def __init__(self) -> None:
        super().__init__(dimension=2)

    async def encode_text(self, text: str) -> Vector:
        self.texts.append(text)
        if "sneakers" in text or "runner" in text:
            return SNEAKERS
        return BOOTS if "boots" in text or "hiker" in text else BETWEEN


@pytest.mark.parametrize(
    ("title", "picture", "category"),
    [
        ("runner 7", BETWEEN, "sneakers"),
        ("hiker 7", BETWEEN, "boots"),
        ("article 7", BETWEEN, None),
        ("", BETWEEN, None),
        ("runner 7", BOOTS, "boots"),
    ],
)
async def test_the_title_decides_only_where_the_picture_does_not(
    title: str, picture: Vector, category: str | None
) -> None:
    taxonomy = Taxonomy.load().answering_with({"sneakers", "boots"})
    found = await Standardiser(ShoeEncoder(), taxonomy, 0.75).standardise(
        ProductUpdate(title=title), picture
    )
    assert (found.category.value if found.category else None) == category
