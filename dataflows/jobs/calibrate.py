"""``looksync calibrate``: fit the probabilities of an encoder to the catalog in the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import compress
from typing import Self

from dataflows.wiring.parts import open_look_parts
from operators.matching.calibration import Calibration, Logistic, Origin
from operators.matching.judged import JudgedLayer, JudgedProduct, Sold, judge_catalog
from operators.matching.logistic import fit_logistic
from operators.ports import ImageTextEncoder
from schemas.errors import Misconfigured
from schemas.settings import Settings

FEWEST_LAYERS = 90
"""Layers that a fit needs: thirty of each kind, of which a third is held out."""
HELD_OUT = 3
"""One layer of this many is not fitted to, and says how good the fit is."""
SEED = 7
UNLIKE_LOOKS = ("region",)
"""Features left out: how similar a view is to its own product says how similar pictures of products
are, and not how similar a garment on a person is to its product (docs/decisions/164)."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A product of a layer that was not fitted to: probabilities, and what is true."""

    picture: str
    """Products of one picture are not independent."""
    item: float
    is_item: bool
    kind: float
    is_kind: bool

    @classmethod
    def of(
        cls, picture: str, product: JudgedProduct, calibration: Calibration, *, by_model: bool
    ) -> Self:
        """``product`` weighed by ``calibration``, which has not seen its picture."""
        features = product.features
        return cls(
            picture,
            calibration.confidence(features, by_model=by_model),
            product.same_item,
            calibration.kind_confidence(features, by_model=by_model) or 0.0,
            product.same_kind,
        )


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What was fitted."""

    fingerprint: str
    """Of the encoder."""
    layers: int
    held_out: list[HeldOut]


async def calibrate(settings: Settings, sample: int) -> Calibrated:
    """Judge ``sample`` products of the catalog, fit, and store. Flows use it from their next start.

    Raises Misconfigured when the catalog is too small or the encoder reads no text; Unavailable.
    """
    async with open_look_parts(settings) as parts:
        encoder = parts.match.encoder
        require_text(encoder)
        layers = await judge_catalog(parts.match, sample, SEED)
        if len(layers) < FEWEST_LAYERS:
            raise Misconfigured(
                f"{len(layers)} products could be judged, {FEWEST_LAYERS} are needed: products in "
                "stock with a department, a category and a thumbnail"
            )
        calibration, held_out = _fit(parts.match.calibration, layers)
        await parts.calibrations.write(encoder.fingerprint, calibration)
    return Calibrated(encoder.fingerprint, len(layers), held_out)


def require_text(encoder: ImageTextEncoder) -> None:
    """Raise Misconfigured unless ``encoder`` can have probabilities."""
    if not encoder.reads_text:
        raise Misconfigured(
            "confidence compares products with words, and the encoder has an image tower only: "
            "choose an encoder that reads text (`looksync models list`)"
        )


def _fit(
    calibration: Calibration, layers: Sequence[JudgedLayer]
) -> tuple[Calibration, list[HeldOut]]:
    """``calibration`` with the probabilities fitted to ``layers``, whoever describes a layer."""
    # Neighbours are of different kinds (operators.matching.judged.Sold).
    out = [n // len(Sold) % HELD_OUT == 0 for n in range(len(layers))]
    fitted_to = _products(layers, [not one for one in out])
    fitted = calibration.model_copy(
        update={
            "same_item": _logistic(fitted_to, [one.same_item for one in fitted_to]),
            "same_kind": _logistic(fitted_to, [one.same_kind for one in fitted_to]),
            "origin": Origin(
                source="catalog",
                pictures=len(layers) - sum(out),
                pairs=len(fitted_to),
                fitted_at=datetime.now(UTC),
            ),
            "same_item_described": None,
            "same_kind_described": None,
            "origin_described": None,
        }
    )
    return fitted, [
        HeldOut.of(str(number), product, fitted, by_model=False)
        for number, layer in compress(enumerate(layers), out)
        for product in layer.products
    ]


def _products(layers: Sequence[JudgedLayer], chosen: Sequence[bool]) -> list[JudgedProduct]:
    return [one for layer in compress(layers, chosen) for one in layer.products]


def _logistic(products: Sequence[JudgedProduct], labels: Sequence[bool]) -> Logistic:
    samples = [
        {name: value for name, value in one.features.items() if name not in UNLIKE_LOOKS}
        for one in products
    ]
    try:
        return fit_logistic(samples, labels)
    except ValueError as error:
        raise Misconfigured(
            "the catalog holds nothing to tell apart: it needs several products in several "
            "categories"
        ) from error
