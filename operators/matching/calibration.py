"""Calibration of an encoder: how its similarities map to probabilities.

The sandbox encoder's is in ``calibration.json`` next to its weights; ``looksync calibrate`` fits
that of any encoder to a catalog. Without either, the defaults below apply: cautious guesses for
CLIP models of the usual scale, enough to find layers. Such an encoder is uncalibrated: its matches
have no probabilities, and all products found are shown, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.attributes import Department
from schemas.errors import Misconfigured, list_problems

FILE_NAME = "calibration.json"


class Logistic(BaseModel):
    """Logistic regression on named features: 1 / (1 + exp(-(bias + sum of weight * feature)))."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: float
    weights: dict[str, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """Probability in 0..1; a missing feature, or one without a weight, counts as 0."""
        logit = self.bias + sum(w * features.get(name, 0.0) for name, w in self.weights.items())
        return float(1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0))))


class Calibration(BaseModel):
    """The feature names are defined in ``patch_segmenter`` and ``confidence_features``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: tuple[str, ...] | None = Field(
        None, description="Taxonomy labels that the encoder was trained on; null: all."
    )
    departments: tuple[Department, ...] = Field(
        tuple(Department), description="Departments that the encoder can locate in a picture."
    )
    patch_scale: float = Field(
        100.0, gt=0, description="Softmax scale of patch similarities (CLIP's logit scale)."
    )
    one_piece: Logistic = Field(
        Logistic(bias=0.0, weights={"log_ratio": 1.0}),
        description="Probability that a person wears a dress rather than a top and a bottom.",
    )
    presence: Logistic = Field(
        Logistic(bias=-2.0, weights={"peak": 8.0, "likeness": 1.0}),
        description="Probability that the picture shows the layer at all.",
    )
    same_item: Logistic | None = Field(
        None,
        description="Probability that a product is the layer's item, if the tagger described the "
        "layer; null: the encoder is uncalibrated.",
    )
    same_kind: Logistic | None = Field(
        None,
        description="Probability that a product is of the layer's kind, if the tagger described "
        "the layer; null: unknown.",
    )
    same_kind_described: Logistic | None = Field(
        None,
        description="The same, if a vision-language model described the layer; null: same_kind.",
    )
    same_item_described: Logistic | None = Field(
        None,
        description="The same, if a vision-language model described the layer; null: same_item.",
    )

    @property
    def fitted(self) -> bool:
        """Whether there are probabilities of products."""
        return self.same_item is not None

    @property
    def finds_people(self) -> bool:
        """Whether the heat of pictures was fitted, too: people are found by it."""
        return self.presence != type(self)().presence

    def being_fitted(self) -> Self:
        """With a placeholder for what is to be fitted, so that features are computed."""
        return self.model_copy(update={"same_item": Logistic(bias=0.0, weights={})})

    def kind_confidence(self, features: Mapping[str, float], *, by_model: bool) -> float | None:
        """Probability that a product is of the layer's kind (a boot for a boot), and so worth
        showing; never below that of being the very item. None when it was not fitted.

        Arguments: see ``confidence``.
        """
        fitted = (self.same_kind_described if by_model else None) or self.same_kind
        if fitted is None:
            return None
        item = self.confidence(features, by_model=by_model)
        return max(item, fitted.probability(features))

    def confidence(self, features: Mapping[str, float], *, by_model: bool) -> float:
        """Probability that a product is the layer's very item.

        ``features``: see ``confidence_features``. ``by_model``: a vision-language model, not the
        tagger, described the layer.
        """
        fitted = (self.same_item_described if by_model else None) or self.same_item
        assert fitted is not None, "calibrated"
        return fitted.probability(features)

    @classmethod
    def of_encoder(cls, model: str) -> Self:
        """Read the file next to the weights of ``model`` (as in EncoderSettings), or use defaults.

        Raises Misconfigured when the file exists but cannot be read.
        """
        folder = model.removeprefix("local-dir:")
        path = Path(folder) / FILE_NAME
        if folder == model or not path.is_file():
            return cls()
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise Misconfigured(f"{path}: {list_problems(error)}") from error
        except OSError as error:
            raise Misconfigured(f"{path}: {error.strerror}") from error
