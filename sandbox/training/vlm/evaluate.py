"""Metrics on held-out pictures: `python -m sandbox.training.vlm.evaluate --folder DIR`."""

import argparse
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sandbox.training.clip.dataset import LOOK_SIZE, photograph
from sandbox.training.clip.windows import cut, square_around
from sandbox.training.vlm.answerer import Answerer
from sandbox.training.vlm.conversations import DESCRIBE_LOOK, DESCRIBE_PRODUCT, judge
from sandbox.training.vlm.model import PRODUCT_SIZE
from sandbox.world import (
    DEPARTMENTS,
    PATTERNS,
    TYPES,
    DrawnLook,
    Garment,
    describe,
    draw_look,
    held_out,
    near_garment,
    sample_garment,
    sample_outfit,
    visible,
)

SEED = 91_001
"""Training seeds begin at 1,000; the CLIP's evaluation uses 90,001."""
CANDIDATES = 10
Wanted = Callable[[Garment], bool]
Drawn = tuple[DrawnLook, dict[str, Garment]]


def outfit(rng: random.Random, wanted: Wanted) -> dict[str, Garment]:
    """An outfit whose garments are all `wanted`, where the department allows."""
    worn = sample_outfit(rng)
    for name in worn:
        tries = 0
        while not wanted(worn[name]) and tries < 400:
            worn[name], tries = sample_garment(rng, name), tries + 1
    return worn


def parse_query(query: str) -> dict[str, str]:
    """Type, colour and pattern that a query states in the world's vocabulary."""
    head = query.split(" with ")[0]
    words = head.split(" ")
    found = {"colour": words[0]}
    types = [name for name in TYPES if head.endswith(f" {name}")]
    if types:
        found["type"] = max(types, key=len)
    patterns = [word for word in words if word in PATTERNS]
    if patterns:
        found["pattern"] = patterns[0]
    return found


def layers_of(answer: str) -> dict[str, str] | None:
    """Department -> query; None when the answer is not the requested JSON."""
    try:
        layers = json.loads(answer)["layers"]
        return {str(layer["layer"]): str(layer["query"]) for layer in layers}
    except (ValueError, TypeError, KeyError):
        return None


def accuracy(pairs: Sequence[tuple[Garment, str]]) -> dict[str, float]:
    """Accuracy of the queries by type, colour, pattern and the whole string."""
    rows = []
    for garment, query in pairs:
        said = parse_query(query) if query else {}
        rows.append(
            [
                said.get("type") == garment.type,
                said.get("colour") == garment.colour,
                said.get("pattern") == garment.pattern,
                query == describe(garment),
            ]
        )
    means = np.mean(np.array(rows, np.float64), 0)
    return dict(
        zip(
            ("type", "colour", "pattern", "whole"), (round(float(m), 4) for m in means), strict=True
        )
    )


def describe_looks(model: Answerer, drawn: Sequence[Drawn], counted: Wanted) -> dict[str, float]:
    """Over the layers whose worn garment is `counted`; the set of layers over all looks."""
    said = model.answers([([look.picture], DESCRIBE_LOOK) for look, _ in drawn])
    pairs, sets, valid = [], [], []
    for answer, (_, worn) in zip(said, drawn, strict=True):
        layers = layers_of(answer)
        valid.append(layers is not None)
        layers = layers or {}
        shown = visible(worn)
        sets.append(set(layers) == set(shown))
        pairs += [(g, layers.get(name, "")) for name, g in shown.items() if counted(worn[name])]
    return {
        **accuracy(pairs),
        "layer_set": round(float(np.mean(sets)), 4),
        "json": round(float(np.mean(valid)), 4),
        "layers": len(pairs),
    }


def per_department(model: Answerer, drawn: Sequence[Drawn]) -> Mapping[str, dict[str, float]]:
    """`describe_looks` per department."""
    said = model.answers([([look.picture], DESCRIBE_LOOK) for look, _ in drawn])
    rows: dict[str, list[tuple[Garment, str]]] = {name: [] for name in DEPARTMENTS}
    for answer, (_, worn) in zip(said, drawn, strict=True):
        layers = layers_of(answer) or {}
        for name, garment in visible(worn).items():
            rows[name].append((garment, layers.get(name, "")))
    return {name: accuracy(pairs) for name, pairs in rows.items() if pairs}


def describe_products(model: Answerer, garments: Sequence[Garment], seed: int) -> dict[str, float]:
    """Accuracy of descriptions of product photographs."""
    rng = random.Random(seed)
    said = model.answers([([photograph(g, rng)], DESCRIBE_PRODUCT) for g in garments])
    return {**accuracy(list(zip(garments, said, strict=True))), "products": len(garments)}


def rank(model: Answerer, drawn: Sequence[Drawn], seed: int) -> dict[str, float]:
    """The true product among CANDIDATES of its department that differ in few attributes: hit@1 by
    the true query's likelihood, and by the answer to "same product?"."""
    rng = random.Random(seed)
    by_likelihood, by_judgement = [], []
    for look, worn in drawn:
        name = rng.choice(list(look.boxes))
        garment, shown = worn[name], visible(worn)[name]
        others: list[Garment] = []
        while len(others) < CANDIDATES - 1:
            other = near_garment(rng.choice([garment, *others]), rng)
            if other != garment and other not in others:
                others.append(other)
        photos = [photograph(one, rng) for one in (garment, *others)]
        query = describe(shown)
        scores = model.likelihoods([(([photo], DESCRIBE_PRODUCT), query) for photo in photos])
        by_likelihood.append(int(np.argmax(scores)) == 0)
        region = Image.fromarray(
            cut(np.asarray(look.picture), square_around(look.boxes[name]), PRODUCT_SIZE[0])
        )
        question = judge(shown, same=True).text
        asked = [([region, photo], question) for photo in photos]
        yes = model.likelihoods([(q, "yes") for q in asked])
        no = model.likelihoods([(q, "no") for q in asked])
        by_judgement.append(int(np.argmax(np.array(yes) - np.array(no))) == 0)
    return {
        "likelihood_hit_at_1": round(float(np.mean(by_likelihood)), 4),
        "judgement_hit_at_1": round(float(np.mean(by_judgement)), 4),
        "rankings": len(drawn),
    }


def evaluate(folder: Path, looks: int) -> dict[str, object]:
    """All metrics, on `looks` looks of each kind."""
    model = Answerer(folder)
    rng = random.Random(SEED)

    def any_garment(_: Garment) -> bool:
        return True

    new = [
        (draw_look(worn, rng, LOOK_SIZE), worn)
        for worn in (sample_outfit(rng) for _ in range(looks))
    ]
    unseen = [
        (draw_look(worn, rng, LOOK_SIZE), worn)
        for worn in (outfit(rng, held_out) for _ in range(looks))
    ]
    garments = [sample_garment(rng) for _ in range(looks)]
    strange = [g for g in (sample_garment(rng) for _ in range(40 * looks)) if held_out(g)][:looks]
    return {
        "looks": describe_looks(model, new, any_garment),
        "looks_held_out": describe_looks(model, unseen, held_out),
        "products": describe_products(model, garments, SEED),
        "products_held_out": describe_products(model, strange, SEED),
        "ranking": rank(model, new[: looks // 2], SEED),
        "departments": per_department(model, new),
    }


def main() -> None:
    """Evaluate a trained model on new pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path("sandbox/weights/vlm"))
    parser.add_argument("--looks", type=int, default=200)
    asked = parser.parse_args()
    print(json.dumps(evaluate(asked.folder, asked.looks), indent=1))


if __name__ == "__main__":
    main()
