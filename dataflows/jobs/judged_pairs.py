"""Judged pairs whose features are known: which of them count, and what is fitted to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dataflows.jobs.calibrate import HeldOut
from dataflows.jobs.judgement_file import Unused
from operators.matching.calibration import Calibration, Origin
from operators.matching.judged import JudgedProduct
from operators.matching.logistic import fit_logistic
from schemas.errors import Misconfigured
from schemas.judgements import Verdict

FOLDS = 5
"""Five or ten are the usual compromise (Hastie, Tibshirani and Friedman, The Elements of
Statistical Learning, 7.10)."""

FEWEST_PICTURES = 30
"""Resampling clusters is unreliable with five to thirty of them (Cameron, Gelbach and Miller 2008,
Bootstrap-based improvements for inference with clustered errors)."""

PER_FEATURE = 5
"""Pairs of the rarer label that each weight needs: with fewer, intervals of a logistic regression
fail more often (Vittinghoff and McCulloch 2007, Relaxing the rule of ten events per variable)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A judged product that was ranked for its layer."""

    picture: str
    """Its pixels' hash."""
    place: tuple[str, ...]
    """Market, gender, layer, product: with the picture, what was judged."""
    line: int
    verdict: Verdict
    features: dict[str, float]

    @property
    def product(self) -> JudgedProduct:
        return JudgedProduct(
            self.features,
            same_item=self.verdict == "same",
            same_kind=self.verdict in ("same", "similar"),
        )


def settle(pairs: Iterable[Pair]) -> tuple[list[Pair], list[Unused]]:
    """One pair for all lines that judge the same, in an order that is not that of the lines.

    A pair judged more than once alike counts once (``repeated``); judged differently, not at all
    (``contradictory``): which line is right is not for their order or number to say.
    """
    judged: dict[tuple[str, ...], list[Pair]] = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: pair.line):
        judged[pair.picture, *pair.place].append(pair)
    settled: list[Pair] = []
    unused: list[Unused] = []
    for _, (first, *others) in sorted(judged.items()):
        verdicts = sorted({first.verdict, *(one.verdict for one in others)})
        if len(verdicts) > 1:
            lines = [first, *others]
            detail = f"line {others[0].line}, too: {first.place[-1]} is {' and '.join(verdicts)}"
            unused += [Unused(one.line, "contradictory", detail) for one in lines]
        else:
            settled.append(first)
            detail = f"line {first.line} says it already"
            unused += [Unused(one.line, "repeated", detail) for one in others]
    return settled, unused


def require_enough(pairs: Sequence[Pair]) -> None:
    """Raise Misconfigured when ``pairs`` are too few, or too much alike, to fit to."""
    pictures = len({pair.picture for pair in pairs})
    fewest = PER_FEATURE * max((len(pair.features) for pair in pairs), default=0)
    products = [pair.product for pair in pairs]
    counts = {
        "of the very item": sum(one.same_item for one in products),
        "of another item": sum(not one.same_item for one in products),
        "of the same kind": sum(one.same_kind for one in products),
        "of another kind": sum(not one.same_kind for one in products),
    }
    if not pairs or pictures < FEWEST_PICTURES or min(counts.values()) < fewest:
        found = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        needed = f", and {fewest} of each" if pairs else ""
        raise Misconfigured(
            f"too few judgements can be used: {len(pairs):,} pairs ({found}) of {pictures} "
            f"pictures; {FEWEST_PICTURES} pictures are needed{needed}. Nothing was stored."
        )


def fit(calibration: Calibration, pairs: Sequence[Pair], *, by_model: bool) -> Calibration:
    """``calibration`` with the describer's probabilities fitted to ``pairs``.

    ``by_model``: see :meth:`Calibration.confidence`. Raises Misconfigured without pairs of both
    labels.
    """
    samples = [pair.features for pair in pairs]
    try:
        same_item = fit_logistic(samples, [pair.product.same_item for pair in pairs])
        same_kind = fit_logistic(samples, [pair.product.same_kind for pair in pairs])
    except ValueError as error:
        raise Misconfigured(
            "the pairs of too few pictures differ: judge more looks. Nothing was stored."
        ) from error
    origin = Origin(
        source="judged",
        pictures=len({pair.picture for pair in pairs}),
        pairs=len(pairs),
        fitted_at=datetime.now(UTC),
    )
    return calibration.refitted(same_item, same_kind, origin, by_model=by_model)


def hold_out(calibration: Calibration, pairs: Sequence[Pair], *, by_model: bool) -> list[HeldOut]:
    """Each pair weighed by a fit to the pictures of the other folds.

    ``fit`` of all pairs, which is stored, has seen a fourth more: the error is rather too large.
    Pictures are dealt to the folds in the order of their hashes, never a picture to two.
    """
    pictures = sorted({pair.picture for pair in pairs})
    fold_of = {picture: number % FOLDS for number, picture in enumerate(pictures)}
    held = []
    for fold in range(FOLDS):
        others = [pair for pair in pairs if fold_of[pair.picture] != fold]
        fitted = fit(calibration, others, by_model=by_model)
        own = [pair for pair in pairs if fold_of[pair.picture] == fold]
        held += weigh_all(fitted, own, by_model=by_model)
    return held


def weigh_all(calibration: Calibration, pairs: Iterable[Pair], *, by_model: bool) -> list[HeldOut]:
    """``pairs`` weighed by ``calibration``."""
    return [
        HeldOut.of(pair.picture, pair.product, calibration, by_model=by_model) for pair in pairs
    ]
