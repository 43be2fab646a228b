"""The caption nearest to a region, found by growing it."""

import pytest

from operators.matching.tagger import Tagger
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from tests.matching.painted import PaintEncoder


@pytest.mark.parametrize(
    ("department", "caption", "attributes"),
    [
        (
            Department.TOP,
            "red striped short sleeve v-neck t-shirt with white stripes",
            {
                "category": "t-shirt",
                "colour": "red",
                "pattern": "striped",
                "second_colour": "white",
            },
        ),
        (
            Department.BOTTOM,
            "navy solid jeans",
            {"category": "jeans", "colour": "navy", "pattern": "solid"},
        ),
        (
            Department.DRESS,
            "green floral mini sundress with pink flowers",
            {
                "category": "sundress",
                "colour": "green",
                "pattern": "floral",
                "second_colour": "pink",
            },
        ),
    ],
)
async def test_the_caption_of_a_region_is_found(
    taxonomy: Taxonomy, department: Department, caption: str, attributes: dict[str, str]
) -> None:
    encoder = PaintEncoder()
    found = await Tagger(encoder, taxonomy).describe(department, await encoder.encode_text(caption))
    assert found.query == caption
    assert found.attributes == attributes


async def test_captions_use_only_labels_that_the_encoder_knows(taxonomy: Taxonomy) -> None:
    encoder = PaintEncoder()
    tagger = Tagger(encoder, taxonomy.answering_with(["shirt", "blue", "red", "solid"]))
    found = await tagger.describe(
        Department.TOP, await encoder.encode_text("red floral blouse with blue flowers")
    )
    assert found.query == "red solid shirt"
    unknown = await tagger.describe(Department.WATCH, await encoder.encode_text("blue watch"))
    assert unknown.query == "blue solid watch"
