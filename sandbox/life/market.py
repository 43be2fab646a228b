"""A world whose market goes on after its timeline, one happening at a time."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from operators.durable_files import replace_durably
from sandbox.life.assortment import Item, Style, new_style
from sandbox.life.looks import Shelves, plan_look
from sandbox.life.pictures import LookPicture, ProductPicture, draw_looks, draw_products
from sandbox.life.replay import ItemState
from sandbox.life.timeline import ALL_GROUPS, Event, apply_event, build_packet, value_of
from sandbox.life.world import MARKET, World, product_truth, random_for, simulate
from schemas.ids import product_key
from schemas.records import Record

What = Literal["new look", "new product", "price", "sold out", "restocked"]

_CHANCES: dict[What, float] = {
    "new look": 0.35,
    "price": 0.2,
    "sold out": 0.15,
    "restocked": 0.15,
    "new product": 0.15,
}
_IN_SIGHT_SHARE = 0.6
"""Of the changes, those of a product that one of the latest looks wears: people see them."""
_LATEST_LOOKS = 8


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens in the market."""

    what: What
    names: tuple[str, ...]
    """Of the look, or of the products."""
    records: tuple[Record, ...]
    """For looks.generated when it is a look, else for catalog.updates."""


class Market:
    """The market of a drawn world.

    Its nth happening is always the same, but for the time it is given. It is remembered in the
    world's folder, so that a market that is opened again goes on.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._pictures = world.pictures.as_uri()
        styles, self._withheld, _, self._contents = simulate(
            world.seed, world.products, self._pictures
        )
        truth = world.truth()
        self._products = truth.live()
        self._items: dict[str, tuple[Style, Item]] = {}
        for style in styles:
            self._stock(style)
        self._styles = len(styles)
        self._looks = world.looks
        self._worn: deque[tuple[str, ...]] = deque(maxlen=_LATEST_LOOKS)
        for look in truth.looks[-_LATEST_LOOKS:]:
            self._worn.append(tuple(key for one in look.layers.values() for key in one.products))
        self._steps = 0
        for _ in range(_noted(world)):
            self._happen(None)

    def happen(self, now: datetime, publish: Callable[[Happening], None]) -> None:
        """Let one thing happen at ``now``, draw its pictures, and ``publish`` it.

        It is noted afterwards: after a crash it happens again.
        """
        publish(self._happen(now))
        note = json.dumps({"steps": self._steps})
        replace_durably(self._world.folder / MARKET, note.encode())

    def _happen(self, now: datetime | None) -> Happening:
        """``now``: None: it has happened before, so its pictures are there."""
        rng = random_for(self._world.seed, f"market/{self._steps}")
        self._steps += 1
        what = rng.choices(tuple(_CHANCES), tuple(_CHANCES.values()))[0]
        if what == "new look":
            return self._new_look(now, rng)
        if what == "new product":
            return self._new_product(now, rng)
        key = self._any(rng, in_stock=what != "restocked")
        if key is None:
            return self._new_product(now, rng)
        event = "stock" if what == "restocked" else what
        return Happening(what, (key,), (self._tell(event, key, now, rng),))

    def _any(self, rng: random.Random, *, in_stock: bool) -> str | None:
        """A product that is in stock, or one that is not; None: there is none."""
        seen = (key for keys in self._worn for key in keys)
        in_sight = [key for key in seen if self._products[key].in_stock == in_stock]
        if in_sight and rng.random() < _IN_SIGHT_SHARE:
            return rng.choice(in_sight)
        every = [key for key, one in self._products.items() if one.in_stock == in_stock]
        return rng.choice(every) if every else None

    def _new_look(self, now: datetime | None, rng: random.Random) -> Happening:
        shelves = Shelves(self._products.values(), self._withheld)
        url = self._world.look_pictures.as_uri()
        planned = plan_look(shelves, self._looks, url, rng)
        self._looks += 1
        self._worn.append(planned.worn)
        look = planned.look
        if now is not None:
            look = look.model_copy(update={"created_at": now})
            path = self._world.look_pictures / planned.picture_file
            seed = f"{self._world.seed}/{look.look_id}"
            draw_looks([LookPicture(path, seed, planned.outfit)], progress=None)
        record = Record(look.look_id, look.model_dump_json().encode())
        return Happening("new look", (look.look_id,), (record,))

    def _new_product(self, now: datetime | None, rng: random.Random) -> Happening:
        style = new_style(rng, self._styles, self._withheld)
        self._styles += 1
        self._contents.update((f"{content}.jpg", content) for content in style.drawn)
        keys = self._stock(style)
        if now is not None:
            folder, seed = self._world.pictures, self._world.seed
            draw_products(
                [
                    ProductPicture(folder / f"{content}.jpg", f"{seed}/{content}", style.garment)
                    for content in style.drawn
                ],
                progress=None,
            )
        records = [self._tell("new", key, now, rng) for key in keys]
        return Happening("new product", keys, tuple(records))

    def _stock(self, style: Style) -> tuple[str, ...]:
        """Note the items of ``style``; their keys."""
        named = {product_key(style.vendor, item.product_id): (style, item) for item in style.items}
        self._items |= named
        return tuple(named)

    def _tell(self, what: str, key: str, now: datetime | None, rng: random.Random) -> Record:
        """Apply an event of the timeline's kinds, and tell of it as the vendor does."""
        style, item = self._items[key]
        moment = 0 if now is None else int(now.timestamp() * 1000)
        event = Event(moment, style, item, what)
        apply_event(event, self._contents, rng)
        packet = build_packet(event, self._pictures, self._steps, rng)
        state = ItemState(moment, stated={g: value_of(style, item, g) for g in ALL_GROUPS})
        self._products[key] = product_truth(style, item, state, self._contents)
        return Record(packet.key, packet.value)


def _noted(world: World) -> int:
    path = world.folder / MARKET
    return int(json.loads(path.read_bytes())["steps"]) if path.exists() else 0
