"""Standardisation of texts in three languages, by rules and by the encoder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping
from operators.catalog.rules import by_rules
from operators.catalog.standardise import Standardiser
from operators.ports import Vector
from operators.vocabulary.taxonomy import Taxonomy
from operators.vocabulary.wordlist import spellings
from sandbox.world.garments import COLOURS, DEPARTMENT_OF, PATTERNS
from schemas.attributes import Attribute, Department, StandardAttributes
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import Misconfigured
from tests.catalog.small_shop import taxonomy
from tests.catalog.vendor_payloads import GOOGLE, KISETSU, NORTHFOLD, ZARI
from tests.doubles import HashEncoder


def values(attributes: StandardAttributes) -> tuple[str | None, ...]:
    found = (
        attributes.department,
        attributes.category,
        attributes.gender,
        attributes.colour,
        attributes.pattern,
    )
    return tuple(attribute.value if attribute else None for attribute in found)


def test_the_taxonomy_knows_the_sandbox_by_its_own_words() -> None:
    for name, department in DEPARTMENT_OF.items():
        assert taxonomy().categories[name].department == department
    assert set(COLOURS) <= taxonomy().colours.keys()
    assert set(PATTERNS) <= taxonomy().patterns.keys()


def test_every_department_offers_a_choice_of_categories() -> None:
    for department in Department:
        prompts = taxonomy().category_prompts(department)
        assert len(prompts) >= 2, department
    assert "a photo of a pair of jeans" in taxonomy().category_prompts()["jeans"]


@pytest.mark.parametrize(
    ("vendor", "product_id", "payload", "expected", "google"),
    [
        ("zari", "Z", ZARI, ("top", "shirt", "female", "red", "striped", "UK:8"), 212),
        (
            "northfold",
            "N77-8",
            NORTHFOLD,
            ("top", "shirt", "unisex", "navy", "checked", "US:8"),
            212,
        ),
        (
            "kisetsu",
            "K",
            KISETSU,
            ("footwear", "sneakers", "male", "black", "solid", "CM:25.5"),
            187,
        ),
        (
            "google_merchant",
            "g",
            GOOGLE,
            ("dress", "midi dress", "female", "navy", "dotted", "ALPHA:M"),
            2271,
        ),
    ],
)
def test_the_shipped_vendors(
    mappings: dict[str, Mapping],
    vendor: str,
    product_id: str,
    payload: dict[str, Any],
    expected: tuple[str, ...],
    google: int,
) -> None:
    sent = Packet(
        vendor=vendor, product_id=product_id, kind=PacketKind.UPSERT, version=1, payload=payload
    )
    found = by_rules(map_packet(sent, mappings[vendor]).update, taxonomy())
    assert (*values(found), *found.sizes) == expected
    assert found.google_category_id == google


@pytest.mark.parametrize(
    ("title", "department", "category"),
    [
        ("Red Shirt Dress", "dress", "shirt dress"),
        ("Men's V-Neck T-Shirts (pack of 2)", "top", "t-shirt"),
        ("Denim Jacket with leather belt", "outerwear", "jacket"),
        ("Blazer dress", "dress", None),
        ("ladies purse laal", "bag", "handbag"),
        ("Dhoop ka chashma", "eyewear", "sunglasses"),
        ("nazar ka chashma", "eyewear", "glasses"),
        ("ooni topi", "headwear", "beanie"),
        ("Banarasi silk sarees", "ethnic_wear", "saree"),
        ("Salwar kameez set", "ethnic_wear", "salwar suit"),
        ("メンズ ロングコート ネイビー", "outerwear", "coat"),
        ("半袖クルーネックＴシャツ", "top", "t-shirt"),
        ("デニムシャツワンピース", "dress", "shirt dress"),
        ("ブラウン アイテム", None, None),
        ("綿麻浴衣", "ethnic_wear", "yukata"),
        ("Silver jhumkas", "jewellery", "earrings"),
        ("Essential", None, None),
        ("Topical cream", None, None),
    ],
)
def test_categories_in_titles(title: str, department: str | None, category: str | None) -> None:
    found = by_rules(ProductUpdate(title=title), taxonomy())
    if category is None and department is not None:
        assert found.department is not None
        return
    assert values(found)[:2] == (department, category)


@pytest.mark.parametrize(
    ("path", "title", "expected"),
    [
        ("Mahila > Joote chappal > Sneakers", "x", ("footwear", "sneakers")),
        ("Mahila > Bag aur purse", "Jhola", ("bag", "tote bag")),
        ("Mahila > Bag aur purse", "Laal jeans", ("bag", None)),
        ("レディース/ワンピース・ドレス/サンドレス", "x", ("dress", "sundress")),
        ("Apparel & Accessories > Clothing > Shirts & Tops", "Polo", ("top", "polo shirt")),
        ("212", "x", ("top", None)),
        ("1581", "x", ("bottom", "skirt")),
        ("New In", "x", (None, None)),
    ],
)
def test_category_paths(path: str, title: str, expected: tuple[str | None, ...]) -> None:
    found = by_rules(ProductUpdate(title=title, category_text=path), taxonomy())
    assert values(found)[:2] == expected


@pytest.mark.parametrize(
    ("update", "gender"),
    [
        ({"gender_text": "Mahila"}, Attribute(value="female", source="vendor")),
        ({"gender_text": "for women"}, Attribute(value="female", source="rule")),
        ({"category_text": "メンズ/トップス"}, Attribute(value="male", source="rule")),
        ({"category_text": "メンズ/レディース"}, Attribute(value="unisex", source="rule")),
        ({"title": "Men and women's tee"}, Attribute(value="unisex", source="rule")),
        ({"title": "Georgette saree"}, Attribute(value="female", source="rule")),
        ({"title": "Manly tee", "brand": "Women Co"}, None),
        ({"title": "Women Co tee", "brand": "Women Co"}, None),
    ],
)
def test_gender(update: dict[str, Any], gender: Attribute | None) -> None:
    assert by_rules(ProductUpdate(**update), taxonomy()).gender == gender


@pytest.mark.parametrize(
    ("field", "title", "colour"),
    [
        ("laal", "x", ("red", "vendor")),
        ("Navy/White", "x", ("navy", "rule")),
        ("Burnt orange", "x", ("orange", "rule")),
        ("navy neela", "x", ("navy", "vendor")),
        (None, "黒スニーカー", ("black", "rule")),
        (None, "目黒ブランドのスニーカー", None),
        (None, "紫外線カットコート", None),
        ("??", "Safed joote", ("white", "rule")),
        (None, "Greyhound tee", None),
    ],
)
def test_colours(field: str | None, title: str, colour: tuple[str, str] | None) -> None:
    found = by_rules(ProductUpdate(title=title, colour_text=field), taxonomy()).colour
    assert (None if found is None else (found.value, found.source)) == colour


def test_a_word_with_two_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="'rose' stands for 'pink' and 'red'"):
        spellings({"pink": ["rose"], "red": ["Rose"]})


def test_an_invalid_taxonomy_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "taxonomy.toml"
    text = (Path(__file__).parents[2] / "operators/vocabulary/taxonomy.toml").read_text()
    for broken, says in (
        ("[departments", "taxonomy.toml"),
        (text.replace('department = "dress"', 'department = "dreess"', 1), "categories.sundress"),
        (text.replace('"grey"', '"red"', 1).replace('"gray"', '"crimson"', 1), "crimson"),
    ):
        path.write_text(broken)
        with pytest.raises(Misconfigured, match=says):
            Taxonomy.load(path)


class OneSidedEncoder(HashEncoder):
    """Texts that contain one of ``seen`` lie near the picture; all others are orthogonal to it."""

    def __init__(self, *seen: str, agreement: float = 1.0) -> None:
        super().__init__(dimension=2)
        self._seen = seen
        self._agreement = agreement

    async def encode_text(self, text: str) -> Vector:
        self.texts.append(text)
        near = any(word in text for word in self._seen)
        x = self._agreement if near else 0.0
        return np.array([x, np.sqrt(1 - x * x)], dtype=np.float32)


PICTURE = np.array([1.0, 0.0], dtype=np.float32)


async def test_the_encoder_completes_the_texts() -> None:
    standardiser = Standardiser(OneSidedEncoder("sneakers", "navy"), taxonomy(), 0.75)
    update = ProductUpdate(title="Article 7", gender_text="Men", pattern_text="plain")
    found = await standardiser.standardise(update, PICTURE)
    assert values(found) == ("footwear", "sneakers", "male", "navy", "solid")
    assert found.category is not None
    assert found.category.source == "model"
    assert found.category.confidence >= 0.75
    assert found.google_category_id == 187
    assert found.gender == Attribute(value="male", source="vendor")


async def test_below_the_threshold_a_value_stays_unknown() -> None:
    undecided = Standardiser(OneSidedEncoder("zzz"), taxonomy(), 0.75)
    found = await undecided.standardise(ProductUpdate(title="Article 7"), PICTURE)
    assert values(found) == (None,) * 5


async def test_a_known_department_restricts_the_categories() -> None:
    encoder = OneSidedEncoder("saree", "handbag")
    found = await Standardiser(encoder, taxonomy(), 0.75).standardise(
        ProductUpdate(title="Article 7", category_text="Bags"), PICTURE
    )
    assert values(found)[:2] == ("bag", "handbag")
    assert not any("saree" in text for text in encoder.texts)


async def test_rules_are_never_overruled_and_prompts_are_encoded_once() -> None:
    encoder = OneSidedEncoder("skirt", "pink")
    standardiser = Standardiser(encoder, taxonomy(), 0.75)
    update = ProductUpdate(title="Blue jeans")
    first = await standardiser.standardise(update, PICTURE)
    asked = len(encoder.texts)
    second = await standardiser.standardise(update, PICTURE)
    assert values(first)[:2] == ("bottom", "jeans")
    assert first == second
    # The title may be encoded again, but not the prompts.
    assert len(encoder.texts) - asked <= 1


async def test_without_a_picture_only_the_rules_apply() -> None:
    encoder = OneSidedEncoder("navy")
    standardiser = Standardiser(encoder, taxonomy(), 0.75)
    found = await standardiser.standardise(ProductUpdate(title="Tee"), None)
    assert (found.colour, encoder.texts) == (None, [])


async def test_a_restricted_taxonomy_restricts_the_answers() -> None:
    small = taxonomy().answering_with({"saree", "kimono", "navy"})
    encoder = OneSidedEncoder("sneakers")
    found = await Standardiser(encoder, small, 0.75).standardise(
        ProductUpdate(title="Article 7"), PICTURE
    )
    # A single colour leaves nothing to choose, and sneakers are outside the taxonomy.
    assert (found.colour, found.category) == (None, None)
    with pytest.raises(Misconfigured, match="spacesuit"):
        taxonomy().answering_with({"spacesuit"})


async def test_concurrent_items_share_the_prompts() -> None:
    encoder = OneSidedEncoder("navy")
    standardiser = Standardiser(encoder, taxonomy(), 0.75)
    update = ProductUpdate(title="Women's plain tee")
    await asyncio.gather(*(standardiser.standardise(update, PICTURE) for _ in range(5)))
    prompts = [text for text in encoder.texts if text != update.title]
    assert len(prompts) == len(set(prompts))
