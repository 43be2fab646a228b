"""northfold, USA: nested JSON, the variants inside their style, dollars with comma decimals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sandbox.life.assortment import Item, Style
from sandbox.life.payload import Group, Payload, compose_title, number_of, pick

TAXONOMY = {
    "cap": ("Accessories", "Hats", "Caps"),
    "beanie": ("Accessories", "Hats", "Beanies"),
    "sun hat": ("Accessories", "Hats", "Sun Hats"),
    "sunglasses": ("Accessories", "Eyewear", "Sunglasses"),
    "glasses": ("Accessories", "Eyewear", "Glasses"),
    "coat": ("Clothing", "Outerwear", "Coats"),
    "jacket": ("Clothing", "Outerwear", "Jackets"),
    "blazer": ("Clothing", "Outerwear", "Blazers"),
    "t-shirt": ("Clothing", "Tops", "T-Shirts"),
    "shirt": ("Clothing", "Tops", "Shirts"),
    "sweater": ("Clothing", "Tops", "Sweaters"),
    "blouse": ("Clothing", "Tops", "Blouses"),
    "tank top": ("Clothing", "Tops", "Tank Tops"),
    "sundress": ("Clothing", "Dresses", "Sundresses"),
    "shirt dress": ("Clothing", "Dresses", "Shirt Dresses"),
    "evening gown": ("Clothing", "Dresses", "Evening Gowns"),
    "jeans": ("Clothing", "Bottoms", "Jeans"),
    "trousers": ("Clothing", "Bottoms", "Trousers"),
    "skirt": ("Clothing", "Bottoms", "Skirts"),
    "shorts": ("Clothing", "Bottoms", "Shorts"),
    "handbag": ("Accessories", "Bags", "Handbags"),
    "backpack": ("Accessories", "Bags", "Backpacks"),
    "tote bag": ("Accessories", "Bags", "Tote Bags"),
    "sneakers": ("Shoes", "Sneakers"),
    "boots": ("Shoes", "Boots"),
    "heels": ("Shoes", "Heels"),
    "sandals": ("Shoes", "Sandals"),
}
COLOUR_WORDS = {
    "black": ("Black", "Jet Black"),
    "white": ("White", "Bright White"),
    "grey": ("Heather Grey", "Gray"),
    "red": ("Red", "Fiery Red"),
    "orange": ("Orange", "Burnt Orange"),
    "yellow": ("Yellow", "Bright Yellow"),
    "green": ("Green", "Forest Green"),
    "blue": ("Blue", "Sky Blue"),
    "navy": ("Navy", "Navy Blue"),
    "purple": ("Purple", "Deep Purple"),
    "pink": ("Pink", "Hot Pink"),
    "brown": ("Brown", "Chocolate Brown"),
}
PATTERN_WORDS = {
    "solid": ("Solid", "Plain"),
    "striped": ("Striped", "Stripes"),
    "checked": ("Plaid", "Checked"),
    "dotted": ("Polka Dot", "Dotted"),
    "floral": ("Floral",),
}
_AUDIENCE = {"female": "Women", "male": "Men", "unisex": "All"}


def version(moment_ms: int) -> str:
    """Return the version as northfold writes it: ISO 8601, UTC."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds")


def payload(style: Style, item: Item, pictures: str, run: int) -> Payload:
    """Return the full style with all variants; pictures and title are those of ``item``."""
    garment = style.garment
    attributes: Payload = {"fit": "Regular"}
    if style.colour_stated == "field":
        # Two-tone items are written as one word pair, base colour first.
        colour = pick(style, COLOUR_WORDS[garment.colour])
        second = garment.second_colour
        two_tone = second is not None and number_of(style) % 4 == 0
        attributes["color"] = f"{colour}/{second.title()}" if two_tone and second else colour
    if style.pattern_stated == "field":
        attributes["print"] = pick(style, PATTERN_WORDS[garment.pattern])
    stated = style.category_stated == "field"
    taxonomy = TAXONOMY[garment.type] if stated else ("Catalog", "New In")
    record: Payload = {
        "style": {
            "id": style.style_id,
            "brand": {"name": style.brand},
            "department": taxonomy[1] if len(taxonomy) > 1 else taxonomy[0],
            "taxonomy": list(taxonomy),
            "attributes": attributes,
            "details": "Machine washable. Imported.",
            "sustainability": {"score": number_of(style) % 5},
        },
        "variants": [],
        "meta": {"etag": f"{style.style_id}-{run}"},
    }
    if style.gender is not None and style.gender_stated == "field":
        record["style"]["audience"] = _AUDIENCE[style.gender]
    record["style"].update(patch(style, item, pictures, ("title", "pictures"))["style"])
    for variant in style.items:
        entry = patch(style, variant, pictures, ("price", "stock"))["variants"][0]
        entry["page"] = f"https://northfold.example/{style.style_id}?v={variant.product_id}"
        if variant.size is not None:
            system, value = variant.size
            entry["size"] = {"system": system, "value": value}
        record["variants"].append(entry)
    return record


def patch(style: Style, item: Item, pictures: str, groups: Iterable[Group]) -> Payload:
    """Return the same nesting with only the fields of ``groups``."""
    head: Payload = {}
    variant: Payload = {}
    for group in groups:
        if group == "title":
            head["name"] = _title(style, item)
        elif group == "price":
            variant["offer"] = {
                "price": _money(item.price),
                "was": None if item.list_price is None else _money(item.list_price),
            }
        elif group == "stock":
            variant["inventory"] = {"available": item.in_stock, "quantity": item.stock}
        else:
            head["media"] = [
                {"role": "alt" if position else "main", "href": f"{pictures}/{name}"}
                for position, name in enumerate(item.pictures)
            ]
    record: Payload = {"style": head} if head else {}
    if variant:
        record["variants"] = [{"sku": item.product_id, **variant}]
    return record


def _money(cents: int) -> Payload:
    whole = f"{cents // 100:,}".replace(",", ".")
    return {"text": f"{whole},{cents % 100:02d}", "currency": "USD"}


def _title(style: Style, item: Item) -> str:
    words = compose_title(
        style,
        colour=pick(style, COLOUR_WORDS[style.garment.colour]),
        pattern=pick(style, PATTERN_WORDS[style.garment.pattern]),
        kind=style.garment.type,
        unnamed="Essential",
    )
    return f"{style.brand} {words.title()} {item.tagline}".strip()
