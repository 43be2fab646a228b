"""Size charts: what a size of one system customarily is in the others.

Sizes are never converted for matching (operators/catalog/sizes.py): charts are for people to read.

Shoes: ISO/TS 19407:2015 gives sizes by the length of the foot. In inches, UK = 3 * foot - 23; US
men's sizes are one higher and women's two; EU (Paris points of 2/3 cm) = 1.5 * (foot in cm + 1.5).
Clothes: customary tables of shops, where US women's = UK - 4, EU = UK + 28, Japan = UK - 1, and EU
men's = chest in inches + 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.attributes import StandardAttributes
from services.shop.storefronts import Storefront

_CM_PER_INCH = 2.54
_SHOES_CM = tuple(step / 2 for step in range(44, 59))
_NO_SIZES = frozenset({"bag", "eyewear", "jewellery", "watch", "headwear", "scarf", "belt"})
_SYSTEMS = {"ALPHA": "", "WAIST": "W", "AGE": "", "CM": ""}
_UNITS = {"CM": " cm"}


@dataclass(frozen=True, slots=True)
class SizeChart:
    """A table; the cells are ready to be shown."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def size_labels(sizes: Sequence[str]) -> list[str]:
    """Each of ``sizes`` by :func:`size_label`."""
    return [size_label(size) for size in sizes]


def size_label(size: str) -> str:
    """``UK:8`` as people write it: ``UK 8``."""
    system, _, value = size.partition(":")
    return f"{_SYSTEMS.get(system, system + ' ')}{value}{_UNITS.get(system, '')}"


def usual_sizes(department: str, store: Storefront) -> list[str]:
    """The sizes that people choose from here, normalised; empty for what has none."""
    if department in _NO_SIZES:
        return []
    if department != "footwear":
        return [f"ALPHA:{letters}" for letters in ("XS", "S", "M", "L", "XL", "XXL")]
    system = store.sizes[0]
    first, last = {"CM": (22, 29), "US": (5, 13)}.get(system, (3, 12))
    return [f"{system}:{step / 2:g}" for step in range(2 * first, 2 * last + 1)]


def chart_for(attributes: StandardAttributes, store: Storefront) -> SizeChart | None:
    """The chart for a product of this kind; None for what has no such sizes."""
    department = attributes.department.value if attributes.department else ""
    if department in _NO_SIZES or not attributes.sizes:
        return None
    gender = attributes.gender.value if attributes.gender else None
    if department == "footwear":
        return _shoes(gender, store)
    return _men(store) if gender == "male" else _women(store)


def _shoes(gender: str | None, store: Storefront) -> SizeChart:
    texts = store.texts
    american = [("size_us_women", 2.0)] if gender != "male" else []
    american += [("size_us_men", 1.0)] if gender != "female" else []
    columns = [texts("foot"), texts("size_uk"), *(texts(key) for key, _ in american)]
    rows = []
    for foot in _SHOES_CM:
        british = 3 * foot / _CM_PER_INCH - 23
        sizes = [foot, british, *(british + more for _, more in american), 1.5 * (foot + 1.5)]
        rows.append([_half(size) for size in sizes])
    return SizeChart(texts("size_shoes"), [*columns, texts("size_eu")], rows)


def _women(store: Storefront) -> SizeChart:
    texts = store.texts
    columns = [texts(key) for key in ("size_uk", "size_us", "size_eu", "size_jp")]
    rows = [[str(uk), str(uk - 4), str(uk + 28), str(uk - 1)] for uk in range(6, 20, 2)]
    return SizeChart(texts("size_women"), columns, rows)


def _men(store: Storefront) -> SizeChart:
    texts = store.texts
    columns = [texts("chest"), texts("size_eu")]
    return SizeChart(
        texts("size_men"), columns, [[str(inch), str(inch + 10)] for inch in range(34, 50, 2)]
    )


def _half(size: float) -> str:
    """Rounded to half sizes."""
    return f"{round(size * 2) / 2:g}"
