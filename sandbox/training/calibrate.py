"""Fit an encoder's calibration on sandbox worlds that no evaluation uses.

``python -m sandbox.training.calibrate`` draws the worlds of its seeds, runs the look flow's own
stages on them, and writes ``calibration.json`` next to the weights: how heat reads as the
probability that a layer is there, and similarity as the probability that a product is the item.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL.Image import Image

from evaluation.sandbox.indexed_world import MemoryLedger, stock
from evaluation.sandbox.recording_model import Overheard
from operators.budget import Budget
from operators.images.fetch import PictureFetcher
from operators.matching.calibration import FILE_NAME, Calibration, Logistic
from operators.matching.confidence_features import confidence_features
from operators.matching.journal import Journal
from operators.matching.layers import detect_layers
from operators.matching.match import RankedLayer, rank_layer
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import ONE_PIECE, PatchSegmenter
from operators.matching.tagger import Tagger
from operators.models.encoder_table import encoder_source
from operators.models.load_encoder import load_encoder
from operators.models.sandbox_weights import SANDBOX_VLM
from operators.models.vlm.embedded import EmbeddedVisionModel
from operators.ports import ImageTextEncoder, VisionLanguageModel
from operators.stores.sqlite.index import SqliteIndex
from operators.stores.thumbnails import ThumbnailFolder
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.life import World, draw_world, open_world
from sandbox.training.logistic import fit_logistic
from sandbox.world import COLOURS, DEPARTMENTS, PATTERNS, TYPES, DrawnLook, draw_look, sample_outfit
from schemas.attributes import Department
from schemas.looks import Look
from schemas.settings import (
    BatchSettings,
    EncoderSettings,
    ImageSettings,
    MatchingSettings,
    ThumbnailSettings,
    VlmSettings,
)

SEEDS = (101, 102)
"""Evaluations use seeds below 100 or above 1000."""

PATCH_SCALE = 20.0
"""The sandbox encoder's patches were trained at this scale (sandbox.training.clip.model.HEAT)."""


@dataclass(frozen=True, slots=True)
class Option:
    """A product that may be shown first for a layer."""

    own: float
    """Score without the vision-language model."""
    model: float | None
    """The model's judgement, in 0..1."""
    features: dict[str, float]
    """What the confidence would be made of."""
    same_item: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What may be shown for a layer, best first without the vision-language model."""

    kind: str
    options: tuple[Option, ...]

    def first(self, weight: float) -> Option:
        """What is shown first when the model's judgement counts ``weight``."""

        def score(option: Option) -> float:
            model = option.own if option.model is None else option.model
            return (1 - weight) * option.own + weight * model

        return max(self.options, key=score)


async def calibrate(
    model: str, vlm: VlmSettings, seeds: Sequence[int], folder: Path, products: int, looks: int
) -> tuple[Calibration, dict[str, list[Judged]]]:
    """Layers first, since what is not found is not judged; then sameness, of layers that the
    tagger describes and of those that the vision-language model does."""
    labels = (*TYPES, *COLOURS, *PATTERNS)
    encoder = load_encoder(EncoderSettings(model=model))
    departments = tuple(Department(name) for name in DEPARTMENTS)
    calibration = Calibration(labels=labels, departments=departments, patch_scale=PATCH_SCALE)
    drawn = [look for seed in seeds for look in draw_looks(seed, looks)]
    calibration = await fit_layers(encoder, calibration, drawn)
    describer = EmbeddedVisionModel.load(vlm, Taxonomy.load(), lambda kind: None)
    judged: dict[str, list[Judged]] = {"tagger": [], "model": []}
    for seed in seeds:
        world = _world(folder / str(seed), seed, products, looks)
        judged["tagger"] += await _judged(world, encoder, calibration, None)
        judged["model"] += await _judged(world, encoder, calibration, describer)
    await describer.close()
    await encoder.close()
    update = {"same_item": _same(judged["tagger"]), "same_item_described": _same(judged["model"])}
    return calibration.model_copy(update=update), judged


def _same(judged: Sequence[Judged]) -> Logistic:
    shown = [one.first(MatchingSettings().rerank_weight) for one in judged]
    return fit_logistic([one.features for one in shown], [one.same_item for one in shown])


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
    world: World,
    encoder: ImageTextEncoder,
    calibration: Calibration,
    vlm: VisionLanguageModel | None,
) -> list[Judged]:
    """All layers of a world's looks, the model's judgement beside the order but not in it."""
    truth = {look.look_id: look for look in world.truth().looks}
    looks = [Look.model_validate_json(record.value) for record in world.look_event_records()]
    model = None if vlm is None else Overheard(vlm)
    judged = []
    with tempfile.TemporaryDirectory() as scratch:
        parts = replace(await _parts(world, encoder, calibration, Path(scratch)), vlm=model)
        for look in {look.look_id: look for look in looks}.values():
            budget, journal = Budget.of(60), Journal()
            picture = await parts.pictures.fetch(look.image)
            for layer in await detect_layers(look, [picture], parts, budget, journal):
                worn = truth[look.look_id].layers.get(layer.department.value)
                found = await rank_layer(layer, look, parts, budget, journal)
                answers = model.last_answers() if model else []
                if worn is not None and found.ranked:
                    options = await _options(found, answers, worn.products, parts)
                    judged.append(Judged(worn.kind, options))
        await parts.index.close()
    return judged


async def _options(
    found: RankedLayer, answers: Sequence[float | None], true: Collection[str], parts: MatchParts
) -> tuple[Option, ...]:
    text = await parts.encoder.encode_text(found.description.query)
    shown = found.ranked[: parts.settings.products_per_layer]
    options = []
    for number, one in enumerate(shown):
        order = [one, *shown[:number], *shown[number + 1 :]]
        options.append(
            Option(
                own=one.score,
                model=answers[number] if answers else None,
                features=await confidence_features(
                    order, found.description, text, found.layer.region, parts.tagger
                ),
                same_item=one.choice.offer.candidate.key in true,
            )
        )
    return tuple(options)


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
    thumbnails = ThumbnailFolder.open(ThumbnailSettings(url=str(scratch / "thumbnails")))
    await stock(world, encoder, index, ledger, thumbnails)
    taxonomy = Taxonomy.load().answering_with(calibration.labels or ())
    return MatchParts(
        pictures=PictureFetcher(ImageSettings(allowed_roots=(world.folder,), http_cache=None)),
        encoder=encoder,
        index=index,
        ledger=ledger,
        segmenter=PatchSegmenter(encoder, calibration.departments, calibration),
        tagger=Tagger(encoder, taxonomy),
        calibration=calibration,
        thumbnails=thumbnails,
        settings=MatchingSettings(rerank_weight=0.0),
    )


def _world(folder: Path, seed: int, products: int, looks: int) -> World:
    if (folder / "world.json").exists():
        known = open_world(folder)
        if (known.seed, known.products, known.looks) == (seed, products, looks):
            return known
    return draw_world(folder, seed=seed, products=products, looks=looks)


def threshold_table(same: Logistic, judged: Sequence[Judged]) -> str:
    """Share of layers that would abstain, by kind, at thresholds of the confidence."""
    weight = MatchingSettings().rerank_weight
    confidence = {
        kind: np.array(
            [same.probability(o.first(weight).features) for o in judged if o.kind == kind]
        )
        for kind in ("exact", "near", "absent")
    }
    lines = ["abstain_below  exact   near  absent"]
    for threshold in (0.003, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.2, 0.5):
        shares = [float((values < threshold).mean()) for values in confidence.values()]
        lines.append(f"{threshold:13.3f}" + "".join(f"{share:7.3f}" for share in shares))
    return "\n".join(lines)


def weight_table(judged: Sequence[Judged]) -> str:
    """Share of exact layers whose first product is the item, by the weight of the judgement."""
    exact = [one for one in judged if one.kind == "exact"]
    lines = ["rerank_weight  hit@1"]
    for weight in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        right = float(np.mean([one.first(weight).same_item for one in exact]))
        lines.append(f"{weight:13.2f}{right:7.3f}")
    return "\n".join(lines)


def main() -> None:
    """Fit and write the calibration."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default=EncoderSettings().model)
    parser.add_argument("--vlm", default=SANDBOX_VLM, help="Folder; it knows sandbox-1.")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--worlds", type=Path, default=Path("var/calibration"))
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--looks", type=int, default=100)
    asked = parser.parse_args()
    vlm = VlmSettings(kind="embedded", model=asked.vlm, prompts="sandbox-1")
    calibration, judged = asyncio.run(
        calibrate(asked.model, vlm, asked.seeds, asked.worlds, asked.products, asked.looks)
    )
    out = Path(encoder_source(asked.model).removeprefix("local-dir:")) / FILE_NAME
    out.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for describer, same in (
        ("tagger", calibration.same_item),
        ("model", calibration.same_item_described or calibration.same_item),
    ):
        print(f"described by the {describer}")
        print(threshold_table(same, judged[describer]))
    print(weight_table(judged["model"]))
    print(f"written: {out}")


if __name__ == "__main__":
    main()
