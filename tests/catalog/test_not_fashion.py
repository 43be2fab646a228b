"""Which items of a shop are not fashion, by their titles and category paths."""

from __future__ import annotations

import pytest

from operators.catalog.rules import by_rules
from schemas.attributes import Attribute
from schemas.catalog import ProductUpdate
from tests.catalog.small_shop import taxonomy

NOT_FASHION = [
    # English
    (None, "Gaming PC Ryzen 7 RTX 4070 32GB", "electronics"),
    (None, "Fish Tank 60L with LED light", "animals"),
    (None, "Tank (aquarium), 40 litres", "animals"),
    (None, "Glass tank for aquarium", "animals"),
    (None, "Mouse pad XL, black", "electronics"),
    (None, "iPhone 15 phone case red leather", None),
    (None, "Leather phone case with belt clip", "electronics"),
    (None, "Samsung 55 inch Smart TV", "electronics"),
    (None, "Wireless Mouse", "electronics"),
    (None, "LED Ring Light 18 inch", "cameras"),
    (None, "Yoga Mat 6mm purple", None),
    (None, "Yoga Mat", "sport"),
    (None, "Boxing gloves 12 oz", "sport"),
    (None, "Sleeping Bag - 3 seasons", "sport"),
    (None, "Coffee table, oak", "furniture"),
    (None, "Shoe rack with 5 shelves", "furniture"),
    (None, "Coat rack", "furniture"),
    (None, "Bean Bags", "furniture"),
    (None, "Wine glasses (set of 6)", "home"),
    (None, "Christmas tree skirt", "home"),
    (None, "Napkin rings, gold", "home"),
    (None, "Oven mitts", "home"),
    (None, "Shower cap", "home"),
    (None, "Scented candle vanilla & rose", "home"),
    (None, "Dog coat, waterproof", "animals"),
    (None, "Dog Hoodie", "animals"),
    (None, "Cat collar with bell", "animals"),
    (None, "Barbie dress", "toys"),
    (None, "Toy tank 1:16", "toys"),
    (None, "Board game for families", "toys"),
    (None, "Matte lipstick in ruby red", "beauty"),
    (None, "Eau de Parfum 50 ml", "beauty"),
    (None, "Timing belt kit", None),
    (None, "Timing belt for Golf IV", "vehicles"),
    (None, "Clutch kit", "vehicles"),
    (None, "Fuel pump", "vehicles"),
    (None, "O-ring set", None),
    (None, "Piston rings", "vehicles"),
    (None, "Belt sander 900W", "hardware"),
    (None, "Tool belt", "hardware"),
    (None, "Ring binder A4", "office"),
    (None, "Embroidery hoops", "arts"),
    (None, "Acoustic guitar", "arts"),
    (None, "Gift Card", "services"),
    (None, "Shipping Protection", "services"),
    (None, "Cookbook: 100 recipes", "media"),
    (None, "Olive oil, extra virgin", "food"),
    (None, "Basmati rice 5 kg", None),
    (None, "Breast pump", "baby"),
    # French
    ("fr", "Tapis de souris noir", "electronics"),
    ("fr", "Canapé 3 places gris", "furniture"),
    ("fr", "Coque de téléphone rouge", "electronics"),
    ("fr", "Robe de poupée", "toys"),
    ("fr", "Sac de couchage", "sport"),
    ("fr", "Collier pour chien en cuir", "animals"),
    # German
    ("de", "Handyhülle schwarz", None),
    ("de", "Schreibtischlampe", "home"),
    ("de", "Grüner Tee", "food"),
    ("de", "Wanduhr aus Holz", "home"),
    ("de", "Hundemantel", "animals"),
    ("de", "Kleiderschrank mit Spiegel", "furniture"),
    # Spanish
    ("es", "Silla de oficina negra", "furniture"),
    ("es", "Funda para móvil", "electronics"),
    ("es", "Collar para perro", "animals"),
    ("es", "Reloj de pared", "home"),
    # Italian
    ("it", "Lampada da tavolo", "home"),
    ("it", "Tappetino per mouse", "electronics"),
    ("it", "Collare per cani in pelle", "animals"),
    # Japanese
    ("ja", "ゲーミングPC 32GB", "electronics"),
    ("ja", "スマホケース 花柄", "electronics"),
    ("ja", "犬用 ベッド", "animals"),
    ("ja", "本棚 5段", "furniture"),
    # Hindi in Latin letters
    ("hi-Latn", "Lakdi ki kursi", "furniture"),
    ("hi-Latn", "Deewar ghadi", "home"),
    ("hi-Latn", "Khilona gaadi", None),
]

FASHION = [
    (None, "Boot cut jeans", "jeans"),
    (None, "Tank top", "tank top"),
    (None, "Women's ribbed tank", "tank top"),
    (None, "Bomber jacket", "jacket"),
    (None, "Bucket hat", "bucket hat"),
    (None, "Guitar print T-shirt", "t-shirt"),
    (None, "Cable knit sweater", "sweater"),
    (None, "Cat eye sunglasses", "sunglasses"),
    (None, "Book tote bag", "tote bag"),
    (None, "Blanket scarf", None),
    (None, "Baguette bag", None),
    (None, "Laptop bag", None),
    (None, "Mule", None),
    (None, "Leather mules", None),
    (None, "Derby", "oxfords"),
    (None, "Gold ring", "ring"),
    (None, "Tank with guitar print", "tank top"),
    (None, "Chocolate midi dress", "midi dress"),
    (None, "Boots for hiking", "boots"),
    (None, "Backpack for laptop", "backpack"),
    (None, "Camera sling bag", "crossbody bag"),
    (None, "Teddy bear coat", "coat"),
    ("fr", "Robe pull", None),
    ("fr", "Baskets blanches", "sneakers"),
    ("fr", "Sac à main", "handbag"),
    ("de", "Jeansrock", "skirt"),
    ("de", "Sommerkleid mit Blumen", "sundress"),
    ("es", "Zapatillas deportivas", "sneakers"),
    ("it", "Scarpe da ginnastica", "sneakers"),
    ("ja", "本革 財布", "wallet"),
]


def kind(update: ProductUpdate) -> str | None:
    found = by_rules(update, taxonomy()).not_fashion
    return found.value if found else None


@pytest.mark.parametrize(("language", "title", "expected"), NOT_FASHION)
def test_a_title_that_names_something_else(
    language: str | None, title: str, expected: str | None
) -> None:
    found = by_rules(ProductUpdate(title=title, language=language), taxonomy())
    assert found.not_fashion is not None
    assert found.not_fashion.value == (expected or found.not_fashion.value)
    assert (found.department, found.category, found.gender) == (None, None, None)


@pytest.mark.parametrize(("language", "title", "category"), FASHION)
def test_fashion_that_sounds_like_something_else(
    language: str | None, title: str, category: str | None
) -> None:
    found = by_rules(ProductUpdate(title=title, language=language), taxonomy())
    assert found.not_fashion is None
    assert found.department is not None
    if category is not None:
        assert found.category is not None
        assert found.category.value == category


@pytest.mark.parametrize("title", ["Scarf ring", "Watch strap", "Essential", "Sundari 12", ""])
def test_what_a_title_leaves_open_stays_open(title: str) -> None:
    found = by_rules(ProductUpdate(title=title), taxonomy())
    assert (found.not_fashion, found.department) == (None, None)


@pytest.mark.parametrize(
    ("path", "title", "expected"),
    [
        ("222", "Sundari 12", ("electronics", "vendor")),
        ("222 > Women > Tops", "Sundari 12", None),
        ("222", "Red dress", None),
        ("Electronics > Audio > Headphones", "Black tee", ("electronics", "vendor")),
        ("Animals & Pet Supplies > Pet Supplies > Dog Apparel", "Hoodie", ("animals", "vendor")),
        ("Appareils électroniques > Audio", "Casque", ("electronics", "vendor")),
        ("Health & Beauty > Personal Care > Vision Care > Eyeglasses", "Round", None),
        ("Sporting Goods > Outdoor > Shoes", "Trail 5", None),
        ("Sporting Goods > Athletics", "Pro 5", ("sport", "vendor")),
        ("212", "Fish tank", None),
        ("77", "Sundari 12", None),
        ("1", "Sundari 12", None),
        ("604", "Sundari 12", ("home", "vendor")),
        ("Women > Tops", "Camera", None),
        ("Home > Women > Dresses", "Mira", None),
        ("Women > Beauty > Lipsticks", "Ruby", ("beauty", "rule")),
        ("Women > Shoes > Shoe Care", "Kit", ("home", "rule")),
        ("Posters", "Guitar T-shirt", None),
        ("Apparel & Accessories > Pens", "Silver", None),
    ],
)
def test_category_paths(path: str, title: str, expected: tuple[str, str] | None) -> None:
    found = by_rules(ProductUpdate(title=title, category_text=path), taxonomy()).not_fashion
    assert (None if found is None else (found.value, found.source)) == expected


def test_an_item_that_is_not_fashion_keeps_its_colour() -> None:
    found = by_rules(ProductUpdate(title="Mouse pad, black"), taxonomy())
    assert found.colour == Attribute(value="black", source="rule")
