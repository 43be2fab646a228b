"""What a term for brands or price tiers that go together costs and brings.

    python -m benchmarks.coherence DEMO...

DEMO: folders of `looksync demo`. Reorders the products of their events: to the score of a similar
layer's product is added ``weight`` times the share of the look's other layers whose first product
has its brand (or its tier, a third of the prices). In a drawn world neither depends on the look, so
the labels are shuffled among the styles of a department and currency, 200 times, and the figures
are means over all shuffles.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from evaluation.sandbox.agreement import differences
from evaluation.sandbox.look_report import first_events
from operators.streaming.files.topic import FileTopic
from sandbox.life import Truth, open_world
from schemas.settings import load_settings

WEIGHTS = (0.0, 0.01, 0.02, 0.05, 0.1)
SHUFFLES = 200
TIERS = 3


@dataclass(frozen=True, slots=True)
class ShownLayer:
    """A worn layer for which something is shown."""

    kind: str
    similar: bool
    scores: Mapping[str, float]
    """By product, best first."""
    differing: Mapping[str, int]
    """Attributes in which each product differs from what is worn."""
    true: frozenset[str]


Look = Sequence[ShownLayer]


def shown_looks(folder: Path, truth: Truth) -> Iterator[Look]:
    settings = load_settings(folder / "looksync.toml")
    topic = FileTopic(settings.topics.folder, settings.topics.matches)
    events = first_events(r for n in range(topic.partitions) for r in topic.read(n))
    for look in truth.looks:
        shown = []
        for match in events[look.look_id].layers:
            worn = look.layers.get(match.layer)
            if worn is None or not match.products:
                continue
            scores = {found.product.key: found.score for found in match.products}
            seen, known = worn.garment.garment(), truth.products
            differing = {key: differences(seen, known[key].garment.garment()) for key in scores}
            similar = match.products[0].outcome == "similar"
            true = frozenset(worn.products)
            shown.append(ShownLayer(worn.kind, similar, scores, differing, true))
        yield shown


def shuffled(truth: Truth, what: str, rng: random.Random) -> dict[str, object]:
    """Each product's brand or tier, after the styles of a department and currency swapped them."""
    styles: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for key, product in truth.live().items():
        styles[product.garment.department, product.currency][product.style].append(key)
    found: dict[str, object] = {}
    for shelf in styles.values():
        keys = list(shelf.values())
        if what == "brand":
            labels: list[object] = [truth.products[first].brand for first, *_ in keys]
        else:
            labels = [number * TIERS // len(keys) for number in range(len(keys))]
        rng.shuffle(labels)
        found.update({key: label for of, label in zip(keys, labels, strict=True) for key in of})
    return found


def first_products(look: Look, labels: Mapping[str, object], weight: float) -> list[str]:
    """The first product of each layer, with the term."""
    firsts = [next(iter(layer.scores)) for layer in look]
    chosen = list(firsts)
    for number, layer in enumerate(look):
        others = [labels[key] for n, key in enumerate(firsts) if n != number]
        if layer.similar and others and weight:

            def score(key: str, layer: ShownLayer = layer, others: list[object] = others) -> float:
                return layer.scores[key] + weight * others.count(labels[key]) / len(others)

            chosen[number] = max(layer.scores, key=score)
    return chosen


def main(*folders: str) -> None:
    worlds = []
    for folder in folders:
        truth = open_world(Path(folder) / "world").truth()
        worlds.append((truth, list(shown_looks(Path(folder), truth))))
    print("              exact:   near:    near:  looks of  pairs of")
    print("label weight  hit@1  closest  agree  one label  one label")
    for what in ("brand", "tier"):
        rng = random.Random(1)
        figures: dict[float, dict[str, list[float]]] = {
            weight: defaultdict(list) for weight in WEIGHTS
        }
        for truth, looks in worlds:
            for _ in range(SHUFFLES):
                labels = shuffled(truth, what, rng)
                for weight in WEIGHTS:
                    for look in looks:
                        judge(look, labels, first_products(look, labels, weight), figures[weight])
        for weight, found in figures.items():
            means = {name: float(np.mean(values)) for name, values in found.items()}
            print(
                f"{what:6}{weight:6.2f}{means['hit']:7.3f}{means['closest']:9.3f}"
                f"{means['agree']:7.3f}{means['looks']:11.3f}{means['pairs']:11.3f}"
            )


def judge(
    look: Look,
    labels: Mapping[str, object],
    chosen: Sequence[str],
    figures: dict[str, list[float]],
) -> None:
    """Add the look's figures."""
    for layer, key in zip(look, chosen, strict=True):
        if layer.kind == "near":
            figures["closest"].append(layer.differing[key] <= 1)
            figures["agree"].append(1 - layer.differing[key] / 8)
        elif layer.kind == "exact":
            figures["hit"].append(key in layer.true)
    alike = [labels[one] == labels[other] for one, other in combinations(chosen, 2)]
    if alike:
        figures["looks"].append(all(alike))
        figures["pairs"].append(float(np.mean(alike)))


if __name__ == "__main__":
    main(*sys.argv[1:])
