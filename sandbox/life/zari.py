"""zari, India: flat and CSV-like, every value a string, Hindi and English mixed, rupees."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.life.assortment import Item, Style
from sandbox.life.payload import Group, Payload, compose_title, number_of, pick

DEPARTMENT_WORDS = {
    "headwear": "Sir ke liye",
    "eyewear": "Chashme",
    "outerwear": "Garam kapde",
    "top": "Upar ke kapde",
    "dress": "Dress",
    "bottom": "Neeche ke kapde",
    "bag": "Bag aur purse",
    "footwear": "Joote chappal",
}
TYPE_WORDS = {
    "cap": ("topi", "cap"),
    "beanie": ("beanie", "ooni topi"),
    "sun hat": ("sun hat",),
    "sunglasses": ("dhoop ka chashma", "sunglasses"),
    "glasses": ("chashma", "glasses"),
    "coat": ("coat", "overcoat"),
    "jacket": ("jacket",),
    "blazer": ("blazer",),
    "t-shirt": ("t-shirt", "tshirt"),
    "shirt": ("kameez", "shirt"),
    "sweater": ("sweater",),
    "blouse": ("blouse",),
    "tank top": ("tank top",),
    "sundress": ("sundress",),
    "shirt dress": ("shirt dress",),
    "evening gown": ("evening gown",),
    "jeans": ("jeans",),
    "trousers": ("trousers", "patloon"),
    "skirt": ("skirt",),
    "shorts": ("shorts",),
    "handbag": ("handbag", "ladies purse"),
    "backpack": ("basta", "backpack"),
    "tote bag": ("jhola", "tote bag"),
    "sneakers": ("sneakers",),
    "boots": ("boots",),
    "heels": ("heels",),
    "sandals": ("sandals", "chappal"),
}
COLOUR_WORDS = {
    "black": ("kaala", "black"),
    "white": ("safed", "white"),
    "grey": ("grey", "slate"),
    "red": ("laal", "red"),
    "orange": ("narangi", "orange"),
    "yellow": ("peela", "yellow"),
    "green": ("hara", "green"),
    "blue": ("neela", "blue"),
    "navy": ("navy", "navy neela"),
    "purple": ("baingani", "purple"),
    "pink": ("gulabi", "pink"),
    "brown": ("bhura", "brown"),
}
PATTERN_WORDS = {
    "solid": ("plain",),
    "striped": ("dhaari", "striped"),
    "checked": ("check",),
    "dotted": ("bindi", "polka"),
    "floral": ("phool", "floral"),
}
_FOR = {"female": "Mahila", "male": "Purush", "unisex": "Sabke liye"}
_GENDERED = {"female": "Ladies", "male": "Mens"}


def version(moment_ms: int) -> int:
    """Return the version as zari writes it: a running number."""
    return moment_ms


def payload(style: Style, item: Item, pictures: str, run: int) -> Payload:
    """Return the full record. ``pictures``: URL of the folder; ``run``: number of the export."""
    row = {
        "sku": item.product_id,
        "style_code": style.style_id,
        "dept_path": _path(style),
        "brand": style.brand,
        "lang": "hi-Latn",
        "link": f"https://zari.example/p/{item.product_id}",
        "godown": f"BLR-{number_of(style) % 7}",
        "export_id": str(run),
    }
    if style.colour_stated == "field":
        row["rang"] = pick(style, COLOUR_WORDS[style.garment.colour])
    if style.pattern_stated == "field":
        row["design"] = pick(style, PATTERN_WORDS[style.garment.pattern])
    if style.gender is not None and style.gender_stated == "field":
        row["liye"] = _FOR[style.gender]
    if item.size is not None:
        system, value = item.size
        row["naap"] = value if system == "ALPHA" else f"{system} {value}"
    return row | patch(style, item, pictures, ("title", "price", "stock", "pictures"))


def patch(style: Style, item: Item, pictures: str, groups: Iterable[Group]) -> Payload:
    """Return only the fields of ``groups``."""
    row: Payload = {}
    for group in groups:
        if group == "title":
            row["item_name"] = _title(style, item)
        elif group == "price":
            row["mrp"] = f"Rs. {rupees(item.list_price or item.price)}"
            row["daam"] = f"Rs. {rupees(item.price)}.00"
        elif group == "stock":
            row["stock_qty"] = str(item.stock)
        else:
            names = (f"{pictures}/{name}" for name in item.pictures)
            row.update(zip(("photo", "photo2"), names, strict=False))
    return row


def rupees(paise: int) -> str:
    """Format paise as whole rupees with Indian grouping: 10499900 is 1,04,999."""
    digits = str(paise // 100)
    head, tail = digits[:-3], digits[-3:]
    groups = [tail]
    while head:
        groups.insert(0, head[-2:])
        head = head[:-2]
    return ",".join(groups)


def _path(style: Style) -> str:
    if style.gender is not None and style.gender_stated == "category":
        first = _GENDERED[style.gender]
    else:
        first = _FOR.get(style.gender or "", "Fashion")
    if style.category_stated != "field":
        return f"{first} > Naya maal"
    department = DEPARTMENT_WORDS[style.garment.department]
    return f"{first} > {department} > {pick(style, TYPE_WORDS[style.garment.type]).title()}"


def _title(style: Style, item: Item) -> str:
    words = compose_title(
        style,
        colour=pick(style, COLOUR_WORDS[style.garment.colour]),
        pattern=pick(style, PATTERN_WORDS[style.garment.pattern]),
        kind=pick(style, TYPE_WORDS[style.garment.type]),
        unnamed="fashion item",
    )
    return f"{style.brand} {words.capitalize()} {item.tagline}".strip()
