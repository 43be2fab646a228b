"""kisetsu, Japan: JSON in Japanese, gender implied by the category, yen, shoes in centimetres."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from sandbox.life.assortment import Item, Style
from sandbox.life.payload import Group, Payload, compose_title, number_of, pick

_JAPAN = timezone(timedelta(hours=9))

DEPARTMENT_WORDS = {
    "headwear": "帽子",
    "eyewear": "アイウェア",
    "outerwear": "アウター",
    "top": "トップス",
    "dress": "ワンピース・ドレス",
    "bottom": "ボトムス",
    "bag": "バッグ",
    "footwear": "シューズ",
}
TYPE_WORDS = {
    "cap": ("キャップ",),
    "beanie": ("ニット帽", "ビーニー"),
    "sun hat": ("サンハット",),
    "sunglasses": ("サングラス",),
    "glasses": ("メガネ", "眼鏡"),
    "coat": ("コート",),
    "jacket": ("ジャケット",),
    "blazer": ("ブレザー",),
    "t-shirt": ("Tシャツ",),
    "shirt": ("シャツ",),
    "sweater": ("セーター",),
    "blouse": ("ブラウス",),
    "tank top": ("タンクトップ",),
    "sundress": ("サンドレス",),
    "shirt dress": ("シャツワンピース",),
    "evening gown": ("イブニングドレス",),
    "jeans": ("ジーンズ",),
    "trousers": ("スラックス", "ズボン"),
    "skirt": ("スカート",),
    "shorts": ("ショートパンツ",),
    "handbag": ("ハンドバッグ",),
    "backpack": ("リュック", "バックパック"),
    "tote bag": ("トートバッグ",),
    "sneakers": ("スニーカー",),
    "boots": ("ブーツ",),
    "heels": ("パンプス", "ヒール"),
    "sandals": ("サンダル",),
}
COLOUR_WORDS = {
    "black": ("黒", "ブラック"),
    "white": ("白", "ホワイト"),
    "grey": ("グレー",),
    "red": ("赤", "レッド"),
    "orange": ("オレンジ",),
    "yellow": ("黄", "イエロー"),
    "green": ("緑", "グリーン"),
    "blue": ("青", "ブルー"),
    "navy": ("ネイビー",),
    "purple": ("紫", "パープル"),
    "pink": ("ピンク",),
    "brown": ("茶", "ブラウン"),
}
PATTERN_WORDS = {
    "solid": ("無地",),
    "striped": ("ストライプ", "ボーダー"),
    "checked": ("チェック",),
    "dotted": ("ドット",),
    "floral": ("花柄",),
}
_CUTS = {
    "short sleeve": "半袖",
    "long sleeve": "長袖",
    "sleeveless": "ノースリーブ",
    "mini": "ミニ丈",
    "midi": "ミディ丈",
    "long": "ロング丈",
    "knee length": "膝丈",
    "crew neck": "クルーネック",
    "v-neck": "Vネック",
}
_LINES = {"female": "レディース", "male": "メンズ", "unisex": "ユニセックス"}


def version(moment_ms: int) -> str:
    """Return the version as kisetsu writes it: a timestamp in Japanese time."""
    return datetime.fromtimestamp(moment_ms / 1000, _JAPAN).isoformat(timespec="milliseconds")


def payload(style: Style, item: Item, pictures: str, run: int) -> Payload:
    """Return the full record. ``pictures``: URL of the folder; ``run``: number of the export."""
    record: Payload = {
        "商品コード": item.product_id,
        "品番": style.style_id,
        "カテゴリ": _category(style),
        "ブランド": style.brand,
        "URL": f"https://kisetsu.example/item/{item.product_id}",
        "倉庫": f"第{number_of(style) % 4 + 1}倉庫",
        "出力番号": run,
    }
    if style.colour_stated == "field":
        record["色"] = pick(style, COLOUR_WORDS[style.garment.colour])
    if style.pattern_stated == "field":
        record["柄"] = pick(style, PATTERN_WORDS[style.garment.pattern])
    if item.size is not None:
        system, value = item.size
        record["サイズ"] = f"{value}cm" if system == "CM" else value
    return record | patch(style, item, pictures, ("title", "price", "stock", "pictures"))


def patch(style: Style, item: Item, pictures: str, groups: Iterable[Group]) -> Payload:
    """Return only the fields of ``groups``."""
    record: Payload = {}
    for group in groups:
        if group == "title":
            record["商品名"] = _title(style, item)
        elif group == "price":
            record["税込価格"] = _yen(style, item.price)
            record["通常価格"] = _yen(style, item.list_price or item.price)
        elif group == "stock":
            sold_out = "在庫なし" if number_of(style) % 2 else 0
            stated = "残りわずか" if item.stock is None else item.stock
            record["在庫"] = stated if item.in_stock else sold_out
        else:
            record["画像"] = [f"{pictures}/{name}" for name in item.pictures]
    return record


def _yen(style: Style, amount: int) -> str:
    return f"¥{amount:,}" if number_of(style) % 2 else f"{amount:,}円"


def _category(style: Style) -> str:
    line = _LINES.get(style.gender or "", "ファッション")
    if style.category_stated != "field":
        return f"{line}/新着"
    department = DEPARTMENT_WORDS[style.garment.department]
    return f"{line}/{department}/{pick(style, TYPE_WORDS[style.garment.type])}"


def _title(style: Style, item: Item) -> str:
    garment = style.garment
    words = compose_title(
        style,
        colour=pick(style, COLOUR_WORDS[garment.colour]),
        pattern=pick(style, PATTERN_WORDS[garment.pattern]),
        kind=pick(style, TYPE_WORDS[garment.type]),
        unnamed="アイテム",
        cuts=_CUTS,
    )
    return f"{style.brand} {words} {item.tagline}".strip()
