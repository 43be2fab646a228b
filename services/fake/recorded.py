"""Recorded events, and which look gets which.

``python -m services.fake.recorded LOOKS.MATCHED_FOLDER`` records them from a demo's file topic.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from operators.budget import Budget
from operators.matching.parts import MatchParts
from operators.streaming.files.topic import FileTopic
from schemas.catalog import LedgerEntry, Product
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches

Scenario = Literal["matched", "similar", "abstained", "refused", "degraded", "pending"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
FILE = Path(__file__).with_name("recorded.json")
PRODUCTS = 3
"""Kept of each layer."""


def scenario_of(look: Look) -> Scenario:
    """The one that the look's id, or its user's, begins with; without one: matched."""
    names = (look.look_id, look.user_id or "")
    return next((s for name in names for s in SCENARIOS if name.startswith(s)), "matched")


class Recorded:
    """The events of FILE."""

    def __init__(self) -> None:
        events = json.loads(FILE.read_text(encoding="utf-8"))
        self._events = {name: LookMatches.model_validate(event) for name, event in events.items()}

    async def match(self, look: Look, _: MatchParts, __: Budget) -> LookMatches:
        """In place of match_look: the recorded event, as the answer to ``look``.

        A look that stays pending is, in a preview, matched.
        """
        return self.answer(look) or self._answer("matched", look)

    def answer(self, look: Look) -> LookMatches | None:
        """The look's event; None: it stays pending."""
        scenario = scenario_of(look)
        return None if scenario == "pending" else self._answer(scenario, look)

    def _answer(self, scenario: Scenario, look: Look) -> LookMatches:
        # Its market and preferences stay: products that are not within them would not be shown.
        return self._events[scenario].model_copy(
            update={
                "event_id": matched_event_id(look.look_id),
                "look_id": look.look_id,
                "user_id": look.user_id,
            }
        )

    def entries(self) -> Iterator[LedgerEntry]:
        """The products of all events, as the ledger has them."""
        products = {one.key: one for event in self._events.values() for one in _products(event)}
        for key, product in products.items():
            yield LedgerEntry(
                key=key,
                version=product.version,
                update=product.update,
                attributes=product.attributes,
                image_hash=product.image_hash,
                indexed=True,
            )


def _products(event: LookMatches) -> Iterator[Product]:
    for layer in event.layers:
        for one in layer.products:
            yield one.product


def _outcomes(event: LookMatches) -> set[str | None]:
    return {layer.outcome for layer in event.layers}


WANTED: dict[Scenario, Callable[[LookMatches], bool]] = {
    "matched": lambda event: _outcomes(event) == {"exact"} and not event.degraded,
    "similar": lambda event: "similar" in _outcomes(event) and "none" not in _outcomes(event),
    "abstained": lambda event: _outcomes(event) == {"exact", "none"} and not event.degraded,
    "degraded": lambda event: bool(event.degraded),
    "refused": lambda event: event.refused is not None,
}


def record(topic: FileTopic) -> dict[str, Any]:
    """Per scenario the first event on ``topic`` that shows it, with few products, whose pages and
    pictures are at addresses that nobody has."""
    found: dict[str, Any] = {}
    for partition in range(topic.partitions):
        for record_ in topic.read(partition):
            event = LookMatches.model_validate_json(record_.value)
            for scenario, fits in WANTED.items():
                if scenario not in found and fits(event):
                    found[scenario] = _clean(event)
    return found


def _clean(event: LookMatches) -> dict[str, Any]:
    layers = []
    for layer in event.layers:
        products = tuple(
            one.model_copy(update={"product": _published(one.product)})
            for one in layer.products[:PRODUCTS]
        )
        layers.append(layer.model_copy(update={"products": products}))
    cleaned = event.model_copy(update={"layers": tuple(layers)})
    return cleaned.model_dump(mode="json", exclude_defaults=True)


def _published(product: Product) -> Product:
    home = f"https://shop.example/{product.vendor}/{product.product_id}"
    update = product.update.model_copy(update={"url": home, "image_urls": (f"{home}.jpg",)})
    return product.model_copy(update={"update": update})


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    kept = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    kept |= record(FileTopic(folder.parent, folder.name))
    FILE.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
