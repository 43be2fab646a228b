"""Fit an encoder's calibration on sandbox worlds that are not used for evaluation.

``python -m sandbox.training.calibrate`` draws the worlds of its seeds, runs the look flow's stages
on them, and writes ``calibration.json`` next to the weights. It maps heat to the probability that
a layer is present, and similarity to the probability that a product is the item.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.sandbox.recording_model import RecordingModel
from operators.budget import Budget
from operators.matching.calibration import FILE_NAME, Calibration, Logistic
from operators.matching.layers import detect_layers
from operators.matching.logistic import fit_logistic
from operators.matching.look_run import LookRun
from operators.matching.rank import RankedLayer, rank_layer
from operators.models.encoder_table import encoder_source
from operators.models.load_encoder import load_encoder
from operators.models.sandbox_weights import SANDBOX_VLM
from operators.models.vlm.embedded import EmbeddedVisionModel
from operators.ports import ImageTextEncoder, VisionLanguageModel
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.life import LayerTruth, ProductTruth, World, draw_world, open_world
from sandbox.training.catalog_fit import fit_catalog_evidence
from sandbox.training.layer_fit import draw_looks, fit_layers
from sandbox.training.world_parts import indexed
from sandbox.world import COLOURS, DEPARTMENTS, PATTERNS, TYPES
from schemas.attributes import Department
from schemas.looks import Look
from schemas.settings import (
    EncoderSettings,
    MatchingSettings,
    VlmSettings,
)

SEEDS = (101, 102)
"""Evaluations use seeds below 100 or above 1000."""

PATCH_SCALE = 20.0
"""The scale at which the sandbox encoder's patches were trained
(sandbox.training.clip.model.HEAT)."""


@dataclass(frozen=True, slots=True)
class Option:
    """A product that could rank first for a layer."""

    own: float
    """Score without the vision-language model."""
    model: float | None
    """The model's score, 0..1."""
    features: dict[str, float]
    """Confidence features; ``first`` depends on the order that the model's score decides."""
    same_item: bool
    same_kind: bool
    """Of the garment's type."""


@dataclass(frozen=True, slots=True)
class JudgedLayer:
    """The options of one layer, by score without the vision-language model, best first."""

    kind: str
    options: tuple[Option, ...]

    def ranked(self, weight: float) -> list[Option]:
        """The options, best first, when the model's score has weight ``weight``."""

        def score(option: Option) -> float:
            model = option.own if option.model is None else option.model
            return (1 - weight) * option.own + weight * model

        best_first = sorted(self.options, key=score, reverse=True)
        return [
            replace(one, features={**one.features, "first": float(number == 0)})
            for number, one in enumerate(best_first)
        ]


async def calibrate(
    model: str, vlm: VlmSettings, seeds: Sequence[int], folder: Path, products: int, looks: int
) -> tuple[Calibration, dict[str, list[JudgedLayer]]]:
    """Fit layer detection first, since only detected layers are judged; then the probabilities of
    the same item and of the same kind, for layers described by the tagger and by the model.
    """
    labels = (*TYPES, *COLOURS, *PATTERNS)
    encoder = load_encoder(EncoderSettings(model=model))
    departments = tuple(Department(name) for name in DEPARTMENTS)
    calibration = Calibration(labels=labels, departments=departments, patch_scale=PATCH_SCALE)
    drawn = [look for seed in seeds for look in draw_looks(seed, looks)]
    calibration = (await fit_layers(encoder, calibration, drawn)).being_fitted()
    describer = EmbeddedVisionModel.load(vlm, Taxonomy.load(), lambda kind: None)
    judged: dict[str, list[JudgedLayer]] = {"tagger": [], "model": []}
    worlds: list[World] = []
    for seed in seeds:
        world = _open_or_draw_world(folder / str(seed), seed, products, looks)
        worlds.append(world)
        judged["tagger"] += await _judge_layers(world, encoder, calibration, None)
        judged["model"] += await _judge_layers(world, encoder, calibration, describer)
    await describer.close()
    catalog = await fit_catalog_evidence(worlds, encoder, calibration)
    await encoder.close()
    tagger, described = _rank_options(judged["tagger"]), _rank_options(judged["model"])
    update = {
        "catalog": catalog,
        "same_item": _fit(tagger, [one.same_item for one in tagger]),
        "same_item_described": _fit(described, [one.same_item for one in described]),
        "same_kind": _fit(tagger, [one.same_kind for one in tagger]),
        "same_kind_described": _fit(described, [one.same_kind for one in described]),
    }
    return calibration.model_copy(update=update), judged


def _rank_options(judged: Sequence[JudgedLayer]) -> list[Option]:
    weight = MatchingSettings().rerank_weight
    return [option for layer in judged for option in layer.ranked(weight)]


def _fit(options: Sequence[Option], labels: Sequence[bool]) -> Logistic:
    return fit_logistic([one.features for one in options], labels)


async def _judge_layers(
    world: World,
    encoder: ImageTextEncoder,
    calibration: Calibration,
    vlm: VisionLanguageModel | None,
) -> list[JudgedLayer]:
    """Judge all layers of a world's looks; the model's answers are recorded but do not rank."""
    products = world.truth().products
    truth = {look.look_id: look for look in world.truth().looks}
    looks = [Look.model_validate_json(record.value) for record in world.look_event_records()]
    model = None if vlm is None else RecordingModel(vlm)
    judged = []
    async with indexed(world, encoder, calibration) as opened:
        unranked = opened.settings.model_copy(update={"rerank_weight": 0.0})
        parts = replace(opened, vlm=model, settings=unranked)
        for look in {look.look_id: look for look in looks}.values():
            run = LookRun(look, parts, Budget.of(60))
            picture = await parts.pictures.fetch(look.image)
            for layer in await detect_layers(run, [picture], None):
                worn = truth[look.look_id].layers.get(layer.department.value)
                found = await rank_layer(run, layer)
                answers = model.take_answers() if model else []
                if worn is not None and found.products:
                    options = _list_options(found, answers, worn, products)
                    judged.append(JudgedLayer(worn.kind, options))
    return judged


def _list_options(
    found: RankedLayer,
    answers: Sequence[float | None],
    worn: LayerTruth,
    products: Mapping[str, ProductTruth],
) -> tuple[Option, ...]:
    return tuple(
        Option(
            own=one.score,
            model=answers[number] if answers else None,
            features=features,
            same_item=one.key in worn.products,
            same_kind=products[one.key].garment.type == worn.garment.type,
        )
        for number, (one, features) in enumerate(zip(found.products, found.features, strict=False))
    )


def _open_or_draw_world(folder: Path, seed: int, products: int, looks: int) -> World:
    if (folder / "world.json").exists():
        known = open_world(folder)
        if (known.seed, known.products, known.looks) == (seed, products, looks):
            return known
    return draw_world(folder, seed=seed, products=products, looks=looks)


def threshold_table(calibration: Calibration, judged: Sequence[JudgedLayer], by_model: bool) -> str:
    """Tabulate the share of layers for which nothing is shown, by kind of layer and threshold."""
    best: dict[str, list[float]] = {"exact": [], "near": [], "absent": []}
    for layer in judged:
        options = layer.ranked(MatchingSettings().rerank_weight)
        best[layer.kind].append(
            max(
                calibration.kind_confidence(one.features, by_model=by_model) or 0.0
                for one in options
            )
        )
    lines = ["abstain_below  exact   near  absent"]
    for threshold in (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        shares = [float((np.array(values) < threshold).mean()) for values in best.values()]
        lines.append(f"{threshold:13.3f}" + "".join(f"{share:7.3f}" for share in shares))
    return "\n".join(lines)


def weight_table(judged: Sequence[JudgedLayer]) -> str:
    """Tabulate the share of exact layers whose first product is the item, by rerank weight."""
    exact = [one for one in judged if one.kind == "exact"]
    lines = ["rerank_weight  hit@1"]
    for weight in (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        right = float(np.mean([one.ranked(weight)[0].same_item for one in exact]))
        lines.append(f"{weight:13.2f}{right:7.3f}")
    return "\n".join(lines)


def main() -> None:
    """Fit and write the calibration."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default=EncoderSettings().model)
    parser.add_argument(
        "--vlm", default=SANDBOX_VLM, help="Folder of a model of the sandbox-1 prompts."
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--worlds", type=Path, default=Path("var/calibration"))
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--looks", type=int, default=100)
    arguments = parser.parse_args()
    vlm = VlmSettings(kind="embedded", model=arguments.vlm, prompts="sandbox-1")
    calibration, judged = asyncio.run(
        calibrate(
            arguments.model,
            vlm,
            arguments.seeds,
            arguments.worlds,
            arguments.products,
            arguments.looks,
        )
    )
    out = Path(encoder_source(arguments.model).removeprefix("local-dir:")) / FILE_NAME
    out.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for describer in ("tagger", "model"):
        print(f"described by the {describer}")
        print(threshold_table(calibration, judged[describer], describer == "model"))
    print(weight_table(judged["model"]))
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
