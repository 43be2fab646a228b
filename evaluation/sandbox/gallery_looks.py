"""What the gallery shows of a look: the garments worn, the matches, and a verdict per layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babel.numbers import format_currency

from evaluation.sandbox.gallery_pictures import GalleryPictures
from evaluation.sandbox.look_report import HITS
from sandbox.life import LayerTruth, LookTruth, ProductTruth, Truth
from sandbox.world import DEPARTMENTS, describe
from schemas.looks import LayerMatch, Look, LookMatches, MatchedProduct, Region
from schemas.money import Money

_SHOWN = 6
_ABSTENTIONS = {
    "below-threshold": "Nothing in the catalog is similar enough to be shown as a match.",
    "nothing-found": "No product of this kind passes the look's filters.",
    "deadline": "The deadline of this look passed.",
}


@dataclass(frozen=True, slots=True)
class ShownProduct:
    """A product in a layer's row."""

    picture: str | None
    title: str
    shop: str
    price: str
    similarity: float | None
    """None: not matched, shown because it is the true product."""
    rank: int | None
    is_true: bool


@dataclass(frozen=True, slots=True)
class ShownLayer:
    """One layer of a look, as shown on the page."""

    department: str
    kind: str
    """exact, near, absent, or phantom (reported but not worn)."""
    verdict: str
    good: bool | None
    """None: neither right nor wrong."""
    query: str
    worn: str
    box: tuple[float, float, float, float] | None
    """x, y, width, height in percent of the picture."""
    found: bool
    products: tuple[ShownProduct, ...]
    abstained: str | None
    confidence: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownLook:
    """A look, as shown on the page."""

    look_id: str
    picture: str
    filters: tuple[str, ...]
    problems: tuple[str, ...]
    layers: tuple[ShownLayer, ...]

    @property
    def kinds(self) -> list[str]:
        """Filter values: the kinds of its layers, and ``wrong`` when one was judged wrong."""
        kinds = {layer.kind for layer in self.layers}
        return sorted(
            kinds | ({"wrong"} if any(layer.good is False for layer in self.layers) else set())
        )


def describe_look(
    look: Look,
    known: LookTruth,
    event: LookMatches | None,
    truth: Truth,
    pictures: GalleryPictures,
) -> ShownLook:
    """Judge and describe one look; ``event``: its match event, None when it is missing."""
    reported = {str(match.layer): match for match in event.layers} if event else {}
    order = [*DEPARTMENTS, *(name for name in reported if name not in DEPARTMENTS)]
    problems = []
    if event is None:
        problems.append("This look has no event.")
    else:
        if event.refused:
            problems.append(f"Refused: {event.refused}")
        problems += [f"Degraded: {cause}" for cause in event.degraded]
    return ShownLook(
        look_id=look.look_id,
        picture=pictures.of_look(known),
        filters=tuple(_filters(look)),
        problems=tuple(problems),
        layers=tuple(
            _describe_layer(name, known.layers.get(name), reported.get(name), truth, pictures)
            for name in order
            if name in known.layers or name in reported
        ),
    )


def _filters(look: Look) -> list[str]:
    """Describe the look's filters in words."""
    wanted = look.preferences
    words = [f"market {look.market}"] if look.market else ["all markets"]
    if look.gender:
        words.append(f"{look.gender.value} and unisex")
    words += [f"only {' or '.join(wanted.brands)}"] if wanted.brands else []
    words += [f"not {brand}" for brand in wanted.excluded_brands]
    if wanted.max_price:
        words.append(f"at most {_price(wanted.max_price)}")
    words += [
        f"{name.value} size {' or '.join(size.replace(':', ' ') for size in sizes)}"
        for name, sizes in wanted.sizes.items()
    ]
    return words


def _describe_layer(
    department: str,
    known: LayerTruth | None,
    match: LayerMatch | None,
    truth: Truth,
    pictures: GalleryPictures,
) -> ShownLayer:
    true = frozenset(known.products) if known else frozenset()
    shown = match.products if match is not None and match.abstained is None else ()
    rank = next((n for n, found in enumerate(shown[:HITS], 1) if found.product.key in true), None)
    verdict, good = _verdict(known.kind if known else "phantom", match, bool(shown), rank)
    products = [_show_match(found, true, truth, pictures) for found in shown[:_SHOWN]]
    if true and (rank is None or rank > _SHOWN):
        products.append(_show_missed(truth.products[min(true)], rank, pictures))
    return ShownLayer(
        department=department,
        kind=known.kind if known else "phantom",
        verdict=verdict,
        good=good,
        query=match.query if match else "",
        worn=describe(known.garment.garment()) if known else "",
        box=_box(match.region if match else None, known),
        found=match is not None,
        products=tuple(products),
        abstained=_ABSTENTIONS.get(match.abstained, match.abstained)
        if match is not None and match.abstained
        else None,
        # Layers that abstained for another reason have no confidence.
        confidence=match.confidence
        if match is not None and match.abstained == "below-threshold"
        else None,
        notes=tuple(_notes(match)),
    )


def _verdict(
    kind: str, match: LayerMatch | None, shown: bool, rank: int | None
) -> tuple[str, bool | None]:
    """Name the outcome, and say whether it is right (None: neither right nor wrong)."""
    if kind == "phantom":
        return ("false layer", False)
    if match is None:
        return ("layer not found", False)
    if kind == "absent":
        return ("wrongly shown", False) if shown else ("rightly abstained", True)
    if kind == "near":
        return ("nearest shown", None) if shown else ("abstained", None)
    if not shown:
        return ("wrongly abstained", False)
    if rank == 1:
        return ("found first", True)
    return (f"found at {rank}", None) if rank else ("missed", False)


def _show_match(
    found: MatchedProduct, true: frozenset[str], truth: Truth, pictures: GalleryPictures
) -> ShownProduct:
    product = found.product
    price = product.update.price
    return ShownProduct(
        picture=pictures.of_product(truth.products.get(product.key)),
        title=product.update.title or product.key,
        shop=product.vendor,
        price=_price(price) if price else "",
        similarity=found.similarity,
        rank=found.rank,
        is_true=product.key in true,
    )


def _show_missed(
    product: ProductTruth, rank: int | None, pictures: GalleryPictures
) -> ShownProduct:
    return ShownProduct(
        picture=pictures.of_product(product),
        title=describe(product.garment.garment()),
        shop=product.key.split(":", 1)[0],
        price=_price(Money(amount_minor=product.price_minor, currency=product.currency)),
        similarity=None,
        rank=rank,
        is_true=True,
    )


def _box(
    region: Region | None, known: LayerTruth | None
) -> tuple[float, float, float, float] | None:
    """Return the region found, else the true one; x, y, width, height in percent."""
    corners: Sequence[float] | None = None
    if region is not None:
        corners = (region.x0, region.y0, region.x1, region.y1)
    elif known is not None:
        corners = known.box
    if corners is None:
        return None
    x0, y0, x1, y1 = (100 * value for value in corners)
    return x0, y0, x1 - x0, y1 - y0


def _notes(match: LayerMatch | None) -> list[str]:
    if match is None:
        return []
    notes = [f"relaxed: {name}" for name in match.relaxed]
    if match.products and (outcome := match.products[0].outcome):
        probability = match.products[0].probability
        notes.insert(0, outcome if probability is None else f"{outcome} {probability:.2f}")
    if match.folded:
        notes.append(f"{match.folded} near-duplicates folded")
    return notes


def _price(money: Money) -> str:
    return format_currency(money.major, money.currency, locale="en_GB")
