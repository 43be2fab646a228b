"""Realistic payloads for the four shipped mappings."""

from __future__ import annotations

from typing import Any

ZARI: dict[str, Any] = {
    "sku": "Z-1001-8",
    "style_code": "Z-1001",
    "item_name": "Sundari laal dhaari wali kameez",
    "dept_path": "Mahila > Upar ke kapde > Kurti/Top",
    "rang": "laal",
    "design": "dhaari",
    "naap": "UK 8",
    "mrp": "Rs. 4,999",
    "daam": "Rs. 3,499.00",
    "stock_qty": "12",
    "photo": "file:///zari/1001-a.jpg",
    "photo2": "file:///zari/1001-b.jpg",
    "link": "https://zari.example/p/1001",
    "brand": "Sundari",
    "liye": "Mahila",
    "lang": "hi-Latn",
    "godown": "BLR-4",
}

NORTHFOLD: dict[str, Any] = {
    "style": {
        "id": "N77",
        "name": "Vale & Orr Navy Checked Long Sleeve Shirt",
        "brand": {"name": "Vale & Orr", "since": 1921},
        "department": "Tops",
        "taxonomy": ["Clothing", "Tops", "Shirts"],
        "audience": "All",
        "media": [
            {"role": "alt", "href": "https://cdn.example/n77-back.jpg"},
            {"role": "main", "href": "https://cdn.example/n77.jpg"},
        ],
        "attributes": {"color": "Navy/White", "print": "Plaid"},
        "details": "Machine washable.",
    },
    "variants": [
        {
            "sku": "N77-S",
            "size": {"system": "ALPHA", "value": "S"},
            "offer": {"price": {"text": "1.299,00", "currency": "USD"}, "was": None},
            "inventory": {"available": False, "quantity": 0},
            "page": "https://northfold.example/n77?v=S",
        },
        {
            "sku": "N77-8",
            "size": {"system": "US", "value": "8"},
            "offer": {
                "price": {"text": "999,50", "currency": "USD"},
                "was": {"text": "1.299,00", "currency": "USD"},
            },
            "inventory": {"available": True, "quantity": 7},
            "page": "https://northfold.example/n77?v=8",
        },
    ],
}

KISETSU: dict[str, Any] = {
    "商品コード": "K-55",
    "品番": "K55",
    "商品名": "Tomoe 黒 無地 スニーカー",
    "カテゴリ": "メンズ/シューズ/スニーカー",
    "色": "黒",
    "柄": "無地",
    "サイズ": "25.5cm",
    "税込価格": "¥12,800",
    "通常価格": "14,800円",
    "在庫": "残りわずか",
    "画像": ["https://img.example/k55-1.jpg", "https://img.example/k55-2.jpg"],
    "ブランド": "Tomoe",
    "URL": "https://kisetsu.example/item/K-55",
    "倉庫": "第2倉庫",
}

GOOGLE: dict[str, Any] = {
    "id": "g-1",
    "title": "Organic Cotton Midi Dress",
    "description": "A dress for every day.",
    "link": "https://shop.example/g-1",
    "image_link": "https://shop.example/g-1.jpg",
    "additional_image_link": "https://shop.example/g-1b.jpg,https://shop.example/g-1c.jpg?s=1,2",
    "availability": "in_stock",
    "price": "25.00 USD",
    "sale_price": "15.00 USD",
    "brand": "Aldra",
    "google_product_category": "2271",
    "product_type": "Women > Dresses > Midi Dresses",
    "gender": "female",
    "age_group": "adult",
    "color": "Navy/White",
    "pattern": "Polka Dots",
    "size": "M",
    "item_group_id": "g",
    "gtin": "3234567890126",
    "shipping": {"country": "US", "price": "5.00 USD"},
}

RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">
  <channel>
    <title>Aldra</title>
    <item>
      <g:id>g-1</g:id>
      <title>Midi Dress &amp; belt</title>
      <link>https://shop.example/g-1</link>
      <g:image_link>https://shop.example/g-1.jpg</g:image_link>
      <g:additional_image_link>https://shop.example/g-1b.jpg</g:additional_image_link>
      <g:additional_image_link>https://shop.example/g-1c.jpg</g:additional_image_link>
      <g:price>25.00 USD</g:price>
      <g:availability>in stock</g:availability>
      <g:shipping><g:country>US</g:country><g:price>5.00 USD</g:price></g:shipping>
    </item>
    <item>
      <g:id>g-2</g:id>
      <title>Without a price</title>
      <g:image_link>https://shop.example/g-2.jpg</g:image_link>
    </item>
    <item>
      <g:id>g-3</g:id>
      <title>Skirt</title>
      <g:image_link>https://shop.example/g-3.jpg</g:image_link>
      <g:price>9.00 USD</g:price>
    </item>
  </channel>
</rss>
"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
  <entry>
    <g:id>a-1</g:id>
    <title>Cap</title>
    <link href="https://shop.example/a-1"/>
    <g:image_link>https://shop.example/a-1.jpg</g:image_link>
    <g:price>9.00 USD</g:price>
  </entry>
</feed>
"""
