"""Looks as pages show them: the picture with its layers, and the products of each."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from PIL import Image

from schemas.looks import LayerMatch, LookMatches, Region
from services.api.context import Api
from services.api.looks import cursor_after, read_cursor, read_match
from services.shop.cards import Card, matched_card
from services.shop.storefronts import Storefront

LOOKS_PER_PAGE = 12
FEED_PICTURE = (600, 900)
"""Width and height that lists of looks give their pictures, whatever they have."""
SCANNED = 200
"""Looks that are read at most for one page: those of other markets are passed over."""


@dataclass(frozen=True, slots=True)
class Box:
    """A layer's place, in pixels of the picture."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class LayerView:
    """A layer of a look."""

    number: int
    layer: str
    name: str
    query: str
    box: Box | None
    region: Region | None
    outcome: str
    """exact, similar or none."""
    cards: list[Card]
    note: str | None
    """Why there is no product."""
    abstained: bool
    """There are products, and none is close enough."""


@dataclass(frozen=True, slots=True)
class LookView:
    """A look."""

    look_id: str
    href: str
    picture: str
    width: int
    height: int
    alt: str
    layers: list[LayerView]
    notes: list[str]
    """What is worse than usual, in words."""
    refused: str | None
    references: list[str]
    """Addresses of the reference pictures."""

    @property
    def tile(self) -> str:
        """Address of the picture where it is one of several in a row."""
        return f"{self.picture}?small=true"

    @property
    def products(self) -> int:
        """How many are shown."""
        return sum(len(layer.cards) for layer in self.layers)

    @property
    def fitting(self) -> list[LayerView]:
        """The layers with products."""
        return [layer for layer in self.layers if layer.cards]


_NONE = {"no-longer-offered": "no_longer", "deadline": "late", "nothing-found": "nothing_found"}
_REFUSED = {"no-garment-found": "refused_no_garment", "deadline": "refused_deadline"}


def look_path(look_id: str, store: Storefront) -> str:
    """The address of a look's page."""
    return f"/{store.path}/looks/{quote(look_id, safe='')}"


def look_view(
    event: LookMatches,
    size: tuple[int, int],
    store: Storefront,
    *,
    look_id: str | None,
    references: int = 0,
) -> LookView:
    """``event`` as shown in ``store``; ``size``: width and height of its picture in pixels.

    ``look_id``: None: the look is not kept, so that products do not lead back to it.
    """
    texts, moment = store.texts, datetime.now(UTC)
    width, height = size
    layers = []
    for number, layer in enumerate(event.layers, start=1):
        cards = [matched_card(one, layer, store, moment, look_id) for one in layer.products]
        note = None if cards else texts(_NONE.get(layer.abstained or "", "nothing_fits"))
        layers.append(
            LayerView(
                number=number,
                layer=layer.layer,
                name=texts.name("department", layer.layer) or layer.layer,
                query=layer.query,
                box=_box(layer, width, height),
                region=layer.region,
                outcome=layer.outcome or ("similar" if cards else "none"),
                cards=cards,
                note=note,
                abstained=note == texts("nothing_fits"),
            )
        )
    worn = texts("worn_join").join(layer.query or layer.name for layer in layers)
    picture = f"/pictures/looks/{quote(event.look_id, safe='')}"
    return LookView(
        look_id=event.look_id,
        href=look_path(event.look_id, store),
        picture=picture,
        width=width,
        height=height,
        alt=texts("look_alt", worn=worn) if worn else texts("look_alt_plain"),
        layers=layers,
        notes=_notes(event, store),
        refused=_refused(event, store),
        references=[f"{picture}?number={number}" for number in range(1, references + 1)],
    )


def _box(layer: LayerMatch, width: int, height: int) -> Box | None:
    if layer.region is None:
        return None
    x, y = round(layer.region.x0 * width), round(layer.region.y0 * height)
    right, bottom = round(layer.region.x1 * width), round(layer.region.y1 * height)
    return Box(x, y, max(1, right - x), max(1, bottom - y))


def _notes(event: LookMatches, store: Storefront) -> list[str]:
    keys = []
    for one in event.degraded:
        cause = one.partition(":")[2]
        keys.append(
            "degraded_unfamiliar"
            if cause == "unfamiliar-picture"
            else "degraded_late"
            if "deadline" in cause
            else "degraded_part"
        )
    if event.layers and event.models.get("calibration") == "uncalibrated":
        keys.append("uncalibrated")
    return [store.texts(key) for key in dict.fromkeys(keys)]


def _refused(event: LookMatches, store: Storefront) -> str | None:
    if event.refused is None:
        return None
    return store.texts(_REFUSED.get(event.refused, "refused_picture"))


async def read_look(api: Api, look_id: str, store: Storefront) -> LookView | None:
    """The look as of now; None until it is matched."""
    event = await read_match(api, look_id, store.market)
    if event is None:
        return None
    size = picture_size(await api.pictures.read(look_id))
    references = max(0, await api.pictures.count(look_id) - 1)
    return look_view(event, size, store, look_id=look_id, references=references)


def picture_size(jpeg: bytes | None) -> tuple[int, int]:
    """Width and height in pixels; those of a portrait without a picture."""
    if jpeg is None:
        return FEED_PICTURE
    with Image.open(io.BytesIO(jpeg)) as picture:
        return picture.size


async def newest_looks(
    api: Api, store: Storefront, cursor: str | None
) -> tuple[list[LookView], str | None]:
    """A page of the looks that have products in this market, the newest first; and the cursor of
    the next page."""
    before = read_cursor(cursor)
    found: list[LookView] = []
    scanned = 0
    while scanned < SCANNED:
        page = await api.parts.kept.newest(LOOKS_PER_PAGE, before)
        events = await asyncio.gather(
            *(read_match(api, one, store.market, elsewhere=False) for _, one in page)
        )
        for place, event in zip(page, events, strict=True):
            before = place
            if event is None:
                continue
            view = look_view(event, FEED_PICTURE, store, look_id=event.look_id)
            if view.fitting:
                found.append(view)
            if len(found) == LOOKS_PER_PAGE:
                return found, cursor_after(before)
        scanned += LOOKS_PER_PAGE
        if len(page) < LOOKS_PER_PAGE:
            return found, None
    return found, cursor_after(before) if before else None
