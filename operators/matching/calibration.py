"""Calibration of an encoder: how its similarities map to probabilities.

The sandbox encoder's is in ``calibration.json`` next to its weights; ``looksync calibrate`` fits
that of any encoder to a catalog. Without either, the defaults below apply: cautious guesses for
CLIP models of the usual scale, enough to find layers. Such an encoder is uncalibrated: its matches
have no probabilities, and all products found are shown, in their order.

There are two fits of the probabilities, since the tagger and a vision-language model describe
layers differently; each says what it was fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.attributes import Department
from schemas.base import UtcTime
from schemas.errors import Misconfigured, list_problems
from schemas.looks import Region

FILE_NAME = "calibration.json"

Fits = TypeVar("Fits", bound=BaseModel)


class Logistic(BaseModel):
    """Logistic regression on named features: 1 / (1 + exp(-(bias + sum of weight * feature)))."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: float
    weights: dict[str, float]

    def probability(self, features: Mapping[str, float]) -> float:
        """Probability in 0..1; a missing feature, or one without a weight, counts as 0."""
        logit = self.bias + sum(w * features.get(name, 0.0) for name, w in self.weights.items())
        return float(1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0))))


class Origin(BaseModel):
    """What probabilities were fitted to, by ``looksync calibrate``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["catalog", "judged"]
    """catalog: its products (164); judged: looks with judged pairs (docs/decisions/169)."""
    pictures: int | None = None
    pairs: int | None = None
    fitted_at: UtcTime | None = None

    def __str__(self) -> str:
        fitted_to = {"catalog": "the catalog", "judged": "judged looks"}[self.source]
        if self.fitted_at is None:
            return fitted_to
        return (
            f"{fitted_to}, {self.pairs:,} pairs of {self.pictures:,} pictures, "
            f"{self.fitted_at:%Y-%m-%d}"
        )


class LayerCalibration(BaseModel):
    """How what a human parser sees maps to probabilities; the feature names are defined in
    ``parsed_layers``. In ``calibration.json`` next to the parser's weights; without it, a layer is
    as probable as the parser says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    presence: Logistic = Field(
        Logistic(bias=0.0, weights={"log_odds": 1.0}),
        description="Probability that the picture shows the layer at all.",
    )
    one_piece: Logistic = Field(
        Logistic(bias=0.0, weights={"log_ratio": 2.0}),
        description="Probability that a person wears a dress rather than a top and a bottom.",
    )

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """Read the file in ``folder``, or use the defaults. Raises Misconfigured when it cannot be
        read."""
        return _read(cls, folder / FILE_NAME)


class CatalogEvidence(BaseModel):
    """What to make of the catalog's nearest products where an encoder's words do not fit a region:
    vectors carry over to pictures unlike the training ones, words hardly do (docs/decisions/195).

    The feature names are defined in ``catalog_evidence``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least_fit: float = Field(description="Cosine of region and caption from which words fit.")
    presence: Logistic = Field(description="Probability that the region shows the department.")
    one_piece: Logistic = Field(
        description="Probability that a person wears a dress rather than a top and a bottom."
    )
    places: dict[Department, tuple[Region, ...]] = Field(
        description="Where layers usually are, in fractions of the person's box."
    )
    same_item: Logistic
    same_kind: Logistic


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

    catalog: CatalogEvidence | None = Field(
        None, description="For layers that the tagger's words do not fit; null: they always do."
    )

    origin: Origin | None = Field(
        None, description="Of same_item and same_kind; null: they came with the encoder."
    )
    origin_described: Origin | None = Field(
        None, description="Of the fits for described layers; null: they came with the encoder."
    )

    def fitted(self, *, by_model: bool) -> bool:
        """Whether there are probabilities of products. ``by_model``: see ``confidence``."""
        return self._item_fit(by_model) is not None

    def source(self, *, by_model: bool) -> Literal["uncalibrated", "shipped", "catalog", "judged"]:
        """Where the probabilities come from. ``by_model``: see ``confidence``."""
        if not self.fitted(by_model=by_model):
            return "uncalibrated"
        origin = self.origin_in_force(by_model=by_model)
        return "shipped" if origin is None else origin.source

    def origin_in_force(self, *, by_model: bool) -> Origin | None:
        """What the probabilities were fitted to; None: not known here. ``by_model``: see
        ``confidence``."""
        described = by_model and self.same_item_described is not None
        return self.origin_described if described else self.origin

    def refitted(
        self, same_item: Logistic, same_kind: Logistic, origin: Origin, *, by_model: bool
    ) -> Self:
        """With other probabilities for the layers that one describer has described; those of the
        other one's stay. ``by_model``: see ``confidence``."""
        names = ("same_item", "same_kind", "origin")
        described = "_described" if by_model else ""
        values = (same_item, same_kind, origin)
        return self.model_copy(
            update={name + described: one for name, one in zip(names, values, strict=True)}
        )

    @property
    def finds_people(self) -> bool:
        """Whether the heat of pictures was fitted, too: people are found by it."""
        return self.presence != type(self)().presence

    def being_fitted(self) -> Self:
        """With a placeholder for what is to be fitted, so that features are computed."""
        placeholder = Logistic(bias=0.0, weights={})
        return self.model_copy(update={"same_item": placeholder, "catalog": None})

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
        fitted = self._item_fit(by_model)
        assert fitted is not None, "calibrated"
        return fitted.probability(features)

    def _item_fit(self, by_model: bool) -> Logistic | None:
        return (self.same_item_described if by_model else None) or self.same_item

    @classmethod
    def of_encoder(cls, model: str) -> Self:
        """Read the file next to the weights of ``model`` (as in EncoderSettings), or use defaults.

        Raises Misconfigured when the file exists but cannot be read.
        """
        folder = model.removeprefix("local-dir:")
        return cls() if folder == model else _read(cls, Path(folder) / FILE_NAME)


def _read(kind: type[Fits], path: Path) -> Fits:
    """The file, or ``kind``'s defaults without one. Raises Misconfigured when it cannot be read."""
    if not path.is_file():
        return kind()
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise Misconfigured(f"{path}: {list_problems(error)}") from error
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}") from error
