"""What has to be measured once per encoder: how its similarities read as probabilities.

The figures lie in ``calibration.json`` next to an encoder's weights and are fitted by
``python -m sandbox.training.calibrate``. Without that file the defaults below hold: cautious
guesses for CLIP models of the usual scale, so confidences are then ranks, not probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.attributes import Department
from schemas.errors import Misconfigured

FILE_NAME = "calibration.json"


class Logistic(BaseModel):
    """A probability from named features: 1 / (1 + exp(-(bias + sum of weight * feature)))."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: float
    weights: dict[str, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """A feature that is missing counts 0, and so does one without a weight."""
        logit = self.bias + sum(w * features.get(name, 0.0) for name, w in self.weights.items())
        return float(1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0))))


class Calibration(BaseModel):
    """Features are named in ``patch_segmenter`` and ``confidence_features``, beside this file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] | None = Field(
        None, description="Taxonomy labels that the encoder has been trained on; null: all."
    )
    departments: tuple[Department, ...] = Field(
        tuple(Department), description="Departments that the encoder can find in a picture."
    )
    patch_scale: float = Field(
        100.0, gt=0, description="Softmax scale of patch similarities (CLIP's logit scale)."
    )
    one_piece: Logistic = Field(
        Logistic(bias=0.0, weights={"log_ratio": 1.0}),
        description="That a body wears a dress rather than a top and a bottom.",
    )
    presence: Logistic = Field(
        Logistic(bias=-2.0, weights={"peak": 8.0, "likeness": 1.0}),
        description="That a layer is in the picture at all.",
    )
    same_item: Logistic = Field(
        Logistic(bias=-10.0, weights={"region": 15.0, "category_gap": -20.0}),
        description="That the best product is the item of a layer that the tagger has described.",
    )
    same_item_described: Logistic | None = Field(
        None,
        description="The same, of a layer that a vision-language model has described; null: as the "
        "tagger's.",
    )

    def confidence(self, features: Mapping[str, float], *, by_model: bool) -> float:
        """That the best product is the layer's very item, as described by a
        vision-language model (``by_model``) or the tagger; features: ``confidence_features``."""
        fitted = self.same_item_described if by_model else None
        return (fitted or self.same_item).probability(features)

    @classmethod
    def of_encoder(cls, model: str) -> Self:
        """The file next to the weights of ``model`` (as in EncoderSettings), or the defaults.

        Raises Misconfigured when there is a file that cannot be read.
        """
        folder = model.removeprefix("local-dir:")
        path = Path(folder) / FILE_NAME
        if folder == model or not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            raise Misconfigured(f"{path}: {error}") from error
