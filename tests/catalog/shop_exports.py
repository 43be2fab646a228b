"""Product exports in the shapes that shop systems document, with every column.

Longer than 300 lines: the columns of four shop systems, and a row for each.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape


def _columns(separator: str, names: str) -> list[str]:
    return names.split(separator)


SHOPIFY = _columns(
    ",",
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,"
    "Option1 Value,Option1 Linked To,Option2 Name,Option2 Value,Option2 Linked To,Option3 Name,"
    "Option3 Value,Option3 Linked To,Variant SKU,Variant Grams,Variant Inventory Tracker,"
    "Variant Inventory Qty,Variant Inventory Policy,Variant Fulfillment Service,Variant Price,"
    "Variant Compare At Price,Variant Requires Shipping,Variant Taxable,Unit Price Total Measure,"
    "Unit Price Total Measure Unit,Unit Price Base Measure,Unit Price Base Measure Unit,"
    "Variant Barcode,Image Src,Image Position,Image Alt Text,Gift Card,SEO Title,SEO Description,"
    "Google Shopping / Google Product Category,Google Shopping / Gender,"
    "Google Shopping / Age Group,Google Shopping / MPN,Google Shopping / Condition,"
    "Google Shopping / Custom Product,Google Shopping / Custom Label 0,"
    "Google Shopping / Custom Label 1,Google Shopping / Custom Label 2,"
    "Google Shopping / Custom Label 3,Google Shopping / Custom Label 4,"
    "Color (product.metafields.shopify.color-pattern),Variant Image,Variant Weight Unit,"
    "Variant Tax Code,Cost per item,Included / United States,Price / United States,"
    "Compare At Price / United States,Included / International,Price / International,"
    "Compare At Price / International,Status",
)
"""Columns of Products > Export."""

SHOPIFY_NAMES = {
    "Handle": "URL handle",
    "Body (HTML)": "Description",
    "Product Category": "Product category",
    "Published": "Published on online store",
    **{f"Option{n} Name": f"Option{n} name" for n in (1, 2, 3)},
    **{f"Option{n} Value": f"Option{n} value" for n in (1, 2, 3)},
    "Variant SKU": "SKU",
    "Variant Barcode": "Barcode",
    "Variant Grams": "Weight value (grams)",
    "Variant Weight Unit": "Weight unit for display",
    "Variant Inventory Tracker": "Inventory tracker",
    "Variant Inventory Qty": "Inventory quantity",
    "Variant Inventory Policy": "Continue selling when out of stock",
    "Variant Fulfillment Service": "Fulfillment service",
    "Variant Price": "Price",
    "Variant Compare At Price": "Compare-at price",
    "Variant Requires Shipping": "Requires shipping",
    "Variant Taxable": "Charge tax",
    "Variant Tax Code": "Tax code",
    "Variant Image": "Variant image URL",
    **{
        f"Unit Price {part}": f"Unit price {part.lower()}"
        for part in ("Total Measure", "Total Measure Unit", "Base Measure", "Base Measure Unit")
    },
    "Image Src": "Product image URL",
    "Image Position": "Image position",
    "Image Alt Text": "Image alt text",
    "Gift Card": "Gift card",
    "SEO Title": "SEO title",
    "SEO Description": "SEO description",
    "Google Shopping / Google Product Category": "Google Shopping / Google product category",
    "Google Shopping / Age Group": "Google Shopping / Age group",
    "Google Shopping / MPN": "Google Shopping / Manufacturer part number (MPN)",
    "Google Shopping / Custom Product": "Google Shopping / Custom product",
    **{
        f"Google Shopping / Custom Label {n}": f"Google Shopping / Custom label {n}"
        for n in range(5)
    },
    "Compare At Price / United States": "Compare-at price / United States",
    "Compare At Price / International": "Compare-at price / International",
}
"""Column of older exports -> of the template in Shopify's help today."""

SHOPIFY_TODAY = [
    *(SHOPIFY_NAMES.get(name, name) for name in SHOPIFY),
    "Google Shopping / Ad group name",
    "Google Shopping / Ads labels",
]

GOOGLE = _columns(
    " ",
    "id title description link image_link additional_image_link mobile_link availability"
    " availability_date cost_of_goods_sold expiration_date price sale_price"
    " sale_price_effective_date unit_pricing_measure unit_pricing_base_measure installment"
    " subscription_cost loyalty_program google_product_category product_type brand gtin mpn"
    " identifier_exists condition adult multipack is_bundle certification age_group color gender"
    " material pattern size size_type size_system item_group_id product_length product_width"
    " product_height product_weight product_detail product_highlight ads_redirect custom_label_0"
    " custom_label_1 custom_label_2 custom_label_3 custom_label_4 promotion_id lifestyle_image_link"
    " excluded_destination included_destination shopping_ads_excluded_country pause shipping"
    " shipping_label shipping_weight shipping_length shipping_width shipping_height"
    " ships_from_country max_handling_time min_handling_time transit_time_label tax tax_category",
)
"""Attributes of Merchant Center's product data specification."""

WOO = _columns(
    ";",
    "ID;Type;SKU;GTIN, UPC, EAN, or ISBN;Name;Published;Is featured?;Visibility in catalog;"
    "Short description;Description;Date sale price starts;Date sale price ends;Tax status;"
    "Tax class;In stock?;Stock;Low stock amount;Backorders allowed?;Sold individually?;"
    "Weight (kg);Length (cm);Width (cm);Height (cm);Allow customer reviews?;Purchase note;"
    "Sale price;Regular price;Categories;Tags;Shipping class;Images;Download limit;"
    "Download expiry days;Parent;Grouped products;Upsells;Cross-sells;External URL;Button text;"
    "Position;Brands;Attribute 1 name;Attribute 1 value(s);Attribute 1 visible;"
    "Attribute 1 global;Attribute 1 default;Attribute 2 name;Attribute 2 value(s);"
    "Attribute 2 visible;Attribute 2 global;Attribute 2 default;Meta: _custom",
)
"""Columns of WooCommerce's product export."""

COLOURS = ("Red", "Navy", "Olive", "Ivory")
SIZES = ("XS", "S", "M", "L", "XL")
HTML = '<p>Soft "cotton", washed;\n<b>made</b> in Jaipur &amp; dyed by hand.</p>'


def write(path: Path, columns: list[str], rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    """Separated values with every column, empty where a row has nothing."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def shopify_rows(count: int) -> list[dict[str, Any]]:
    """Products of four variants and two further pictures; odd ones among them."""
    rows: list[dict[str, Any]] = []
    product = 0
    while len(rows) < count:
        handle = f"skirt-{product}"
        shared = {
            "Title": f"Rio skirt, {product} \N{EN DASH} “summer”",
            "Body (HTML)": HTML,
            "Vendor": "Rua",
            "Product Category": "Apparel & Accessories > Clothing > Skirts",
            "Type": "Skirts",
            "Tags": "summer, women, sale",
            "Published": "false" if product % 11 == 3 else "TRUE",
            "Option1 Name": "Colour" if product % 2 else "Color",
            "Option2 Name": "Size",
            "Gift Card": "false",
            "SEO Title": "Rio",
            "Google Shopping / Gender": "female",
            "Google Shopping / Age Group": "adult",
            "Google Shopping / Custom Product": "FALSE",
            "Image Alt Text": "A skirt, seen from the front",
            "Status": ("active", "active", "draft", "archived")[product % 4],
        }
        for number in range(6):
            row: dict[str, Any] = {"Handle": handle}
            if number == 0:
                row |= shared
            if number < 4:
                row |= _variant(product, number)
            if number in (0, 4, 5):
                row |= {
                    "Image Src": f"https://cdn.shopify.example/{handle}-{number}.jpg?v=17",
                    "Image Position": str(number + 1),
                }
            rows.append(row)
        product += 1
    return rows[:count]


def shopify_rows_today(count: int) -> list[dict[str, Any]]:
    """The same products under today's columns."""
    policies = {"continue": "CONTINUE", "deny": "DENY"}
    return [
        {SHOPIFY_NAMES.get(name, name): policies.get(value, value) for name, value in row.items()}
        for row in shopify_rows(count)
    ]


def _variant(product: int, number: int) -> dict[str, Any]:
    price = {7: "", 13: "free"}.get(product, f"{20 + number}.00") if number == 1 else "20.00"
    tracked = product % 3 != 0
    return {
        "Option1 Value": COLOURS[product % 4],
        "Option2 Value": SIZES[number],
        "Variant SKU": "" if product % 5 == 4 else f"RIO-{product}-{number}",
        "Variant Grams": "310",
        "Variant Inventory Tracker": "shopify" if tracked else "",
        "Variant Inventory Qty": str((0, 3, 12, 0)[number]),
        "Variant Inventory Policy": "continue" if product % 7 == 1 else "deny",
        "Variant Fulfillment Service": "manual",
        "Variant Price": price,
        "Variant Compare At Price": "30.00" if product % 2 else "",
        "Variant Requires Shipping": "true",
        "Variant Taxable": "true",
        "Variant Barcode": "4006381333931",
        "Variant Image": f"https://cdn.shopify.example/v-{product}.jpg" if number == 2 else "",
        "Variant Weight Unit": "g",
        "Cost per item": "9.10",
        "Included / United States": "true",
    }


def google_rows(count: int) -> list[dict[str, Any]]:
    """Items with every attribute filled; odd ones among them."""
    rows = []
    for number in range(count):
        row = dict.fromkeys(GOOGLE, "" if number % 3 else "x")
        row |= {
            "id": f"sku_{number}",
            "title": f'Rio "wide" skirt {number}',
            "description": "Soft cotton, washed.",
            "link": f"https://shop.example/p/{number}?utm=a&b=c",
            "image_link": f"https://cdn.shop.example/{number}.jpg",
            "additional_image_link": ",".join(
                f"https://cdn.shop.example/{number}-{n}.jpg" for n in range(number % 4)
            ),
            "mobile_link": "",
            "availability": ("in_stock", "out_of_stock", "preorder", "backorder")[number % 4],
            "price": "49.00 USD" if number % 50 != 8 else "",
            "sale_price": "39.00 USD" if number % 2 else "",
            "sale_price_effective_date": (
                "2026-11-01T00:00+0000/2026-12-24T23:59+0000" if number % 4 == 1 else ""
            ),
            "google_product_category": "Apparel & Accessories > Clothing > Skirts",
            "product_type": "Women > Skirts",
            "brand": "Rua",
            "gtin": "4006381333931",
            "age_group": "adult",
            "color": "Red/Ivory" if number % 5 == 0 else "Red",
            "gender": "female",
            "material": "cotton",
            "pattern": "solid",
            "size": SIZES[number % 5],
            "size_system": "US",
            "item_group_id": f"style_{number // 5}",
            "shipping": "US:CA:Overnight:16.00 USD",
        }
        rows.append(row)
    return rows


def write_google_xml(path: Path, rows: list[dict[str, Any]]) -> Path:
    """RSS 2.0 with the attributes in Google's namespace, some beside RSS's own elements."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append('<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>')
    lines.append("<title>Rio</title><link>https://shop.example</link>")
    for row in rows:
        lines.append("<item>")
        lines.append(f"<title>{escape(row['title'])}</title><guid>{row['id']}</guid>")
        for name, value in row.items():
            values = value.split(",") if name == "additional_image_link" else [value]
            lines += [f"<g:{name}>{escape(one)}</g:{name}>" for one in values if one]
        lines.append("</item>")
    lines.append("</channel></rss>")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def woo_rows(styles: int) -> list[dict[str, Any]]:
    """A style and four variations each, then as many simple products."""
    rows: list[dict[str, Any]] = []
    for style in range(styles):
        common = {
            "Published": "1",
            "Visibility in catalog": "visible",
            "Tax status": "taxable",
            "Attribute 1 name": "Color",
            "Attribute 2 name": "Size",
        }
        rows.append(
            {
                **common,
                "ID": str(style * 10),
                "Type": "variable",
                "SKU": f"WS{style}",
                "Name": f"Rio skirt {style}",
                "Description": HTML,
                "In stock?": "1",
                "Categories": "Women > Skirts, New in",
                "Images": f"https://shop.example/{style}-a.jpg, https://shop.example/{style}-b.jpg",
                "Attribute 1 value(s)": "Red, Navy",
                "Attribute 2 value(s)": "S, M",
            }
        )
        rows.extend(
            {
                **common,
                "ID": str(style * 10 + number + 1),
                "Type": "variation",
                "SKU": f"WS{style}-{number}",
                "Name": f"Rio skirt {style} - {COLOURS[number // 2]}, {SIZES[number % 2 + 1]}",
                "In stock?": "0" if number == 3 else "1",
                "Stock": "0" if number == 3 else "5",
                "Regular price": "49" if number else "49.90",
                "Sale price": "39" if style % 2 else "",
                "Parent": f"WS{style}",
                "Attribute 1 value(s)": COLOURS[number // 2],
                "Attribute 2 value(s)": SIZES[number % 2 + 1],
            }
            for number in range(4)
        )
    return rows


def schema_org_document() -> dict[str, Any]:
    """A graph with the shop, a product, a group of variants, and offers in their many shapes."""
    offer = {
        "@type": "Offer",
        "price": 25.5,
        "priceCurrency": "EUR",
        "availability": "https://schema.org/InStock",
    }
    red = {
        "@type": "Product",
        "sku": "G-red",
        "name": "Rio skirt, red",
        "color": "Red",
        "size": {"@type": "SizeSpecification", "name": "M"},
        "image": [{"@type": "ImageObject", "url": "https://s.example/red.jpg"}],
        "offers": {**offer, "availability": "http://schema.org/OutOfStock"},
    }
    return {
        "@context": "https://schema.org",
        "@graph": [
            {"@type": "Organization", "name": "Rio"},
            {
                "@type": "Product",
                "sku": "P1",
                "name": "Linen shirt",
                "image": "https://s.example/p1.jpg",
                "brand": {"@type": "Brand", "name": "Rua"},
                "url": "https://s.example/p1",
                "offers": [offer, {**offer, "price": 99}],
            },
            {
                "@type": ["Product", "IndividualProduct"],
                "sku": "P2",
                "name": {"@value": "Wool coat", "@language": "en"},
                "image": ["https://s.example/a.jpg", "https://s.example/b.jpg"],
                "brand": "Rua",
                "offers": {
                    "@type": "AggregateOffer",
                    "lowPrice": "120",
                    "priceCurrency": "EUR",
                },
            },
            {
                "@type": "ProductGroup",
                "productGroupID": "G",
                "name": "Rio skirt",
                "category": "Women > Skirts",
                "image": "https://s.example/g.jpg",
                "hasVariant": [red, {**red, "sku": "G-navy", "color": "Navy"}],
            },
            {"@type": "Product", "sku": "P3", "name": "No price", "image": "https://x/3"},
        ],
    }
