"""Fit which layers a picture shows: one-piece or separates first, then presence by department."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from PIL.Image import Image

from operators.matching.calibration import Calibration
from operators.matching.logistic import fit_logistic
from operators.matching.patch_segmenter import ONE_PIECE, PatchSegmenter
from operators.ports import ImageTextEncoder
from sandbox.world import DrawnLook, draw_look, sample_outfit


async def fit_layers(
    encoder: ImageTextEncoder, calibration: Calibration, looks: Sequence[DrawnLook]
) -> Calibration:
    """Return ``calibration`` with its ``one_piece`` and ``presence`` models fitted on ``looks``."""
    segmenter = PatchSegmenter(encoder, calibration.departments, calibration)
    ratios: list[dict[str, float]] = []
    for look in looks:
        heat = await segmenter.heat(look.picture)
        ratios.append({"log_ratio": segmenter.one_piece_log_ratio(heat)})
    one_piece = fit_logistic(ratios, [ONE_PIECE.value in look.boxes for look in looks])
    samples: list[dict[str, float]] = []
    labels: list[bool] = []
    for view in (view for look in looks for view in (whole(look), upper_part(look))):
        heat = await segmenter.heat(view.picture)
        ratio = {"log_ratio": segmenter.one_piece_log_ratio(heat)}
        decided = one_piece.probability(ratio) >= 0.5
        for department, one in (await segmenter.evidence(view.picture, heat, decided)).items():
            if department.value not in view.unclear:
                samples.append(one.features(department))
                labels.append(department.value in view.worn)
    presence = fit_logistic(samples, labels)
    return calibration.model_copy(update={"one_piece": one_piece, "presence": presence})


@dataclass(frozen=True, slots=True)
class View:
    """A picture, the departments worn in it, and departments too little visible to be labelled."""

    picture: Image
    worn: frozenset[str]
    unclear: frozenset[str]


def whole(look: DrawnLook) -> View:
    """Return the picture as drawn."""
    return View(look.picture, frozenset(look.boxes), frozenset())


def upper_part(look: DrawnLook) -> View:
    """Crop at the knees: every drawn look wears shoes, which the fit must not learn."""
    width, height = look.picture.size
    edge = height * 0.62
    shares = {
        name: min(1.0, max(0.0, (edge - y0) / (y1 - y0)))
        for name, (_, y0, _, y1) in look.boxes.items()
    }
    return View(
        look.picture.crop((0, 0, width, round(edge))),
        frozenset(name for name, share in shares.items() if share >= 0.6),
        frozenset(name for name, share in shares.items() if 0.05 < share < 0.6),
    )


def draw_looks(seed: int, many: int) -> list[DrawnLook]:
    """Draw ``many`` looks of any outfit, in the catalog or not."""
    rng = random.Random(seed)
    return [draw_look(sample_outfit(rng), rng) for _ in range(many)]
