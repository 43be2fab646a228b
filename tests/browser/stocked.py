"""The painted outfit for sale in three markets, in the words and currencies of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from operators.matching.parts import MatchParts
from operators.vocabulary.price_bucket import price_bucket
from schemas.money import Money
from tests.matching.painted import BOOTS, JEANS, RED_SHIRT, Facts, Paint, add_product

HOST = "vendor.example"
"""Where the vendors' pages are."""

DRAWN: dict[str, tuple[Paint, str]] = {
    "shirt": (RED_SHIRT, "red top striped shirt white stripes"),
    "blouse": (RED_SHIRT, "red top striped blouse white stripes"),
    "jeans": (JEANS, "blue bottom solid jeans"),
    "boots": (BOOTS, "black footwear solid boots"),
}


@dataclass(frozen=True, slots=True)
class Vendor:
    """What one vendor sells in its market."""

    name: str
    market: str
    price: Money
    language: str
    titles: dict[str, str]


VENDORS = (
    Vendor(
        "zari",
        "IN",
        Money(amount_minor=10_499_900, currency="INR"),
        "hi",
        {"shirt": "लाल धारीदार शर्ट", "blouse": "लाल ब्लाउज़", "jeans": "नीली जींस", "boots": "काले जूते"},
    ),
    Vendor(
        "northfold",
        "US",
        Money(amount_minor=12_950, currency="USD"),
        "en",
        {
            "shirt": "Red striped shirt",
            "blouse": "Red striped blouse",
            "jeans": "Blue jeans",
            "boots": "Black boots",
        },
    ),
    Vendor(
        "kisetsu",
        "JP",
        Money(amount_minor=12_800, currency="JPY"),
        "ja",
        {
            "shirt": "赤いストライプのシャツ",
            "blouse": "赤いブラウス",
            "jeans": "青いジーンズ",
            "boots": "黒いブーツ",
        },
    ),
)


async def stock(shop: MatchParts) -> None:
    """Put the vendors' products on sale, as the catalog flow would."""
    for vendor in VENDORS:
        for item, (paint, words) in DRAWN.items():
            key = f"{vendor.name}:{item}"
            await add_product(
                shop.index, shop.ledger, key, words, Facts(market=vendor.market, brand="Nima")
            )
            entry = await shop.ledger.read(key)
            assert entry is not None
            stated = {
                "title": vendor.titles[item],
                "price": vendor.price,
                "url": f"http://{HOST}/{key}",
                "language": vendor.language,
            }
            known = entry.update.model_copy(update=stated)
            await shop.ledger.write(entry.model_copy(update={"update": known}))
            found = await shop.index.get(key)
            assert found is not None
            priced = replace(
                found.attributes,
                currency=vendor.price.currency,
                price_bucket=price_bucket(vendor.price),
            )
            await shop.index.upsert(key, found.vector, priced)
            await shop.thumbnails.put(key, Image.new("RGB", (336, 336), paint))
