"""Fit an encoder's calibration on sandbox worlds that no evaluation uses.

``python -m evaluation.calibrate`` draws the worlds of its seeds, lets the look flow's own stages
work on them, and writes ``calibration.json`` next to the weights: how heat reads as the
probability that a layer is there, and similarity as the probability that a product is the item.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.Image import Image

from evaluation.logistic import fit_logistic
from evaluation.sandbox_shelf import MemoryLedger, stock
from operators.budget import Budget
from operators.catalog.taxonomy import Taxonomy
from operators.images.fetch import PictureFetcher
from operators.matching.calibration import FILE_NAME, Calibration
from operators.matching.journal import Journal
from operators.matching.layers import see
from operators.matching.match import rank_layer
from operators.matching.parts import MatchParts
from operators.matching.segment import ONE_PIECE, PatchSegmenter
from operators.matching.tagger import Tagger
from operators.models.load_encoder import load_encoder
from operators.ports import ImageTextEncoder
from operators.stores.sqlite_index import SqliteIndex
from operators.stores.thumbnails import ThumbnailFolder
from sandbox.life import World, draw_world, open_world
from sandbox.world import COLOURS, DEPARTMENTS, PATTERNS, TYPES, DrawnLook, draw_look, sample_outfit
from schemas.attributes import Department
from schemas.looks import Look
from schemas.settings import (
    BatchSettings,
    EncoderSettings,
    ImageSettings,
    MatchingSettings,
    ThumbnailSettings,
)

SEEDS = (101, 102)
"""Evaluations use seeds below 100 or above 1000."""

PATCH_SCALE = 20.0
"""The sandbox encoder's patches were trained at this scale (sandbox.clip.model.HEAT)."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A layer's best product: its features, and what is true of it."""

    kind: str
    features: dict[str, float]
    same_item: bool


async def calibrate(
    model: str, seeds: Sequence[int], folder: Path, products: int, looks: int
) -> tuple[Calibration, list[Judged]]:
    """Layers first, since what is not found is not judged; then sameness."""
    labels = (*TYPES, *COLOURS, *PATTERNS)
    encoder = load_encoder(EncoderSettings(model=model))
    departments = tuple(Department(name) for name in DEPARTMENTS)
    calibration = Calibration(labels=labels, departments=departments, patch_scale=PATCH_SCALE)
    drawn = [look for seed in seeds for look in draw_looks(seed, looks)]
    calibration = await fit_layers(encoder, calibration, drawn)
    judged = []
    for seed in seeds:
        world = _world(folder / str(seed), seed, products, looks)
        judged += await _judged(world, encoder, calibration)
    same_item = fit_logistic([one.features for one in judged], [one.same_item for one in judged])
    await encoder.close()
    return calibration.model_copy(update={"same_item": same_item}), judged


async def fit_layers(
    encoder: ImageTextEncoder, calibration: Calibration, looks: Sequence[DrawnLook]
) -> Calibration:
    """``calibration`` with what says which layers are in a picture: one-piece, then presence."""
    segmenter = PatchSegmenter(encoder, calibration.departments, calibration)
    ratios: list[dict[str, float]] = []
    for look in looks:
        heat = await segmenter.heat(look.picture)
        ratios.append({"log_ratio": segmenter.one_piece_log_ratio(heat)})
    one_piece = fit_logistic(ratios, [ONE_PIECE.value in look.boxes for look in looks])
    samples: list[dict[str, float]] = []
    labels: list[bool] = []
    for sight in (sight for look in looks for sight in (whole(look), upper_part(look))):
        heat = await segmenter.heat(sight.picture)
        ratio = {"log_ratio": segmenter.one_piece_log_ratio(heat)}
        decided = one_piece.probability(ratio) >= 0.5
        for department, one in (await segmenter.evidence(sight.picture, heat, decided)).items():
            if department.value not in sight.unclear:
                samples.append(one.features(department))
                labels.append(department.value in sight.worn)
    presence = fit_logistic(samples, labels)
    return calibration.model_copy(update={"one_piece": one_piece, "presence": presence})


@dataclass(frozen=True, slots=True)
class Sight:
    """A picture with the departments it shows, and those it shows too little of to say."""

    picture: Image
    worn: frozenset[str]
    unclear: frozenset[str]


def whole(look: DrawnLook) -> Sight:
    """The picture as it was drawn."""
    return Sight(look.picture, frozenset(look.boxes), frozenset())


def upper_part(look: DrawnLook) -> Sight:
    """Down to the knees: every drawn look wears shoes, and that must not be what is learned."""
    width, height = look.picture.size
    edge = height * 0.62
    shares = {
        name: min(1.0, max(0.0, (edge - y0) / (y1 - y0)))
        for name, (_, y0, _, y1) in look.boxes.items()
    }
    return Sight(
        look.picture.crop((0, 0, width, round(edge))),
        frozenset(name for name, share in shares.items() if share >= 0.6),
        frozenset(name for name, share in shares.items() if 0.05 < share < 0.6),
    )


def draw_looks(seed: int, many: int) -> list[DrawnLook]:
    """Looks of any outfit, whatever is sold."""
    rng = random.Random(seed)
    return [draw_look(sample_outfit(rng), rng) for _ in range(many)]


async def _judged(
    world: World, encoder: ImageTextEncoder, calibration: Calibration
) -> list[Judged]:
    truth = {look.look_id: look for look in world.truth().looks}
    looks = [Look.model_validate_json(record.value) for record in world.look_event_records()]
    judged = []
    with tempfile.TemporaryDirectory() as scratch:
        parts = await _parts(world, encoder, calibration, Path(scratch))
        for look in {look.look_id: look for look in looks}.values():
            budget, journal = Budget.of(60), Journal()
            picture = await parts.pictures.fetch(look.image)
            for layer in await see(look, [picture], parts, budget, journal):
                worn = truth[look.look_id].layers.get(layer.department.value)
                found = await rank_layer(layer, look, parts, budget, journal)
                if worn is None or not found.ranked:
                    continue
                best = found.ranked[0].choice.offer.candidate.key
                judged.append(Judged(worn.kind, found.features, best in worn.products))
        await parts.index.close()
    return judged


async def _parts(
    world: World, encoder: ImageTextEncoder, calibration: Calibration, scratch: Path
) -> MatchParts:
    index = SqliteIndex.open(
        scratch / "index.sqlite",
        fingerprint=encoder.fingerprint,
        dimension=encoder.dimension,
        writes=BatchSettings(max_size=512),
    )
    ledger = MemoryLedger()
    await stock(world, encoder, index, ledger)
    taxonomy = Taxonomy.load().answering_with(calibration.labels or ())
    return MatchParts(
        pictures=PictureFetcher(ImageSettings(allowed_roots=(world.folder,), http_cache=None)),
        encoder=encoder,
        index=index,
        ledger=ledger,
        segmenter=PatchSegmenter(encoder, calibration.departments, calibration),
        tagger=Tagger(encoder, taxonomy),
        calibration=calibration,
        thumbnails=ThumbnailFolder.open(ThumbnailSettings(url=str(scratch / "thumbnails"))),
        settings=MatchingSettings(),
    )


def _world(folder: Path, seed: int, products: int, looks: int) -> World:
    if (folder / "world.json").exists():
        known = open_world(folder)
        if (known.seed, known.products, known.looks) == (seed, products, looks):
            return known
    return draw_world(folder, seed=seed, products=products, looks=looks)


def threshold_table(calibration: Calibration, judged: Sequence[Judged]) -> str:
    """Share of layers that would abstain, by kind, at thresholds of the confidence."""
    confidence = {
        kind: np.array(
            [calibration.same_item.probability(one.features) for one in judged if one.kind == kind]
        )
        for kind in ("exact", "near", "absent")
    }
    lines = ["abstain_below  exact   near  absent"]
    for threshold in np.arange(0.05, 0.75, 0.05):
        shares = [float((values < threshold).mean()) for values in confidence.values()]
        lines.append(f"{threshold:13.2f}" + "".join(f"{share:7.3f}" for share in shares))
    return "\n".join(lines)


def main() -> None:
    """Fit and write the calibration."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default=EncoderSettings().model)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--worlds", type=Path, default=Path("var/calibration"))
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--looks", type=int, default=100)
    asked = parser.parse_args()
    calibration, judged = asyncio.run(
        calibrate(asked.model, asked.seeds, asked.worlds, asked.products, asked.looks)
    )
    out = Path(asked.model.removeprefix("local-dir:")) / FILE_NAME
    out.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(threshold_table(calibration, judged))
    print(f"written: {out}")


if __name__ == "__main__":
    main()
