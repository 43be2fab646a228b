"""Words are read in the language of the text, declared or recognised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.catalog.rules import by_rules
from operators.vocabulary.language import FOLDER
from schemas.attributes import StandardAttributes
from schemas.catalog import ProductUpdate
from tests.catalog.small_shop import taxonomy

TAGS = sorted(path.stem for path in FOLDER.glob("*.toml"))


def rules(title: str, language: str | None = None) -> StandardAttributes:
    return by_rules(ProductUpdate(title=title, language=language), taxonomy())


def seen(found: StandardAttributes) -> dict[str, str]:
    names = ("department", "category", "gender", "colour", "pattern")
    return {name: value.value for name in names if (value := getattr(found, name)) is not None}


@pytest.mark.parametrize("tag", [True, False])
@pytest.mark.parametrize(
    ("language", "title", "expected"),
    [
        ("fr", "Robe longue fleurie", "dress maxi-dress female floral"),
        ("fr", "Robe de soirée rouge", "dress evening-gown female red"),
        ("fr", "Robe chemise en coton bleu marine femme", "dress shirt-dress female navy"),
        ("fr", "Veste en jean noire pour homme", "outerwear jacket male black"),
        ("fr", "Jupe longue à carreaux", "bottom skirt checked"),
        ("fr", "Pull col V en laine gris", "top sweater grey"),
        ("de", "Damen Rock kariert", "bottom skirt female checked"),
        ("de", "Schwarze Hose für Herren", "bottom trousers male black"),
        ("de", "Gestreiftes Sommerkleid", "dress sundress female striped"),
        ("de", "Rote Lederjacke für Damen", "outerwear jacket female red"),
        ("es", "Falda midi de lunares negra", "bottom skirt black dotted"),
        ("es", "Vestido largo azul marino de mujer", "dress maxi-dress female navy"),
        ("es", "Camisa blanca de hombre", "top shirt male white"),
        ("it", "Gonna lunga a fiori", "bottom skirt floral"),
        ("it", "Vestito da sera rosso donna", "dress evening-gown female red"),
        ("it", "Giacca in pelle nera uomo", "outerwear jacket male black"),
        ("en", "Women's red cotton bathrobe", "sleepwear robe female red"),
        ("ja", "メンズ ロングコート ネイビー", "outerwear coat male navy"),
        ("hi-Latn", "Mahila ke liye laal kurti", "ethnic_wear kurta female red"),
    ],
)
def test_a_title_in_its_language(language: str, title: str, expected: str, tag: bool) -> None:
    found = seen(rules(title, language if tag else None))
    assert " ".join(value.replace(" ", "-") for value in found.values()) == expected


@pytest.mark.parametrize(
    ("language", "title", "category"),
    [
        ("en", "Robe", "robe"),
        ("fr", "Robe", None),
        ("fr-CA", "Robe longue", "maxi dress"),
        ("FR", "Robe de chambre", "robe"),
        (None, "Robe", None),
        (None, "Robe longue", "maxi dress"),
        (None, "Waffle robe with hood, long sleeve", "robe"),
        ("de", "Grüner Tee", None),
        ("en", "Green tee", "t-shirt"),
        (None, "Green tee", "t-shirt"),
        ("de", "Boot", None),
        ("pt", "Camisa jeans", "jeans"),
        ("pt", "Robe", None),
        ("de-CH", "Barock Bild", None),
        ("hi-Latn", "Laal jute", None),
        ("en", "Jute rug", None),
    ],
)
def test_one_word_in_two_languages(language: str | None, title: str, category: str | None) -> None:
    assert seen(rules(title, language)).get("category") == category


@pytest.mark.parametrize("title", ["Rock", "Hose", "Jute", "Basket", "Gonna be"])
def test_a_word_of_unknown_language_that_means_two_things_says_nothing(title: str) -> None:
    assert seen(rules(title)) == {}


def test_undeclared_texts_may_mix_languages() -> None:
    update = ProductUpdate(title="Kurta with block print", gender_text="Women", colour_text="laal")
    assert seen(by_rules(update, taxonomy()))["colour"] == "red"


ANY_TEXT = st.text(max_size=60) | st.sampled_from(["ﷺ" * 40, "( ( for (", "-", "ß" * 9, "İ"])


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.none() | st.sampled_from(TAGS) | st.text(max_size=8))
def test_arbitrary_texts_never_raise(
    title: str, path: str, brand: str, language: str | None
) -> None:
    update = ProductUpdate(
        title=title,
        category_text=path,
        brand=brand,
        colour_text=path,
        gender_text=title,
        pattern_text=brand,
        size_texts=(title, path),
        language=language,
    )
    found = by_rules(update, taxonomy())
    assert found == by_rules(update, taxonomy())
