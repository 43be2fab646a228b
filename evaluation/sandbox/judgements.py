"""Judged pairs of a drawn world: what people would say of the products shown for its looks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sandbox.life import LayerTruth, ProductTruth, Truth, is_true
from schemas.judgements import Judgement, Verdict
from schemas.looks import Look, LookMatches


def to_judge(look: Look) -> Look:
    """``look`` with what a judgement knows of it: no preferences. Its market and gender stay, since
    with other products to choose from the features of the best ones are others, too."""
    return Look(look_id=look.look_id, image=look.image, market=look.market, gender=look.gender)


def judge(
    events: Iterable[tuple[Look, LookMatches]], truth: Truth, pictures: Path
) -> list[Judgement]:
    """A judgement of each product in ``events``; pictures are files in ``pictures``.

    ``events``: of looks :func:`to_judge`, with all products that were ranked
    (``matching.abstain_below`` and ``list_from`` of 0): those left out for a low probability must
    be judged, too.
    """
    looks = {look.look_id: look for look in truth.looks}
    return [
        Judgement(
            picture=str(pictures / looks[look.look_id].picture_file),
            layer=layer.layer,
            product=found.product.key,
            verdict=_verdict(
                looks[look.look_id].layers.get(layer.layer.value),
                truth.products[found.product.key],
            ),
            market=look.market,
            gender=look.gender,
        )
        for look, event in events
        for layer in event.layers
        for found in layer.products
    ]


def _verdict(worn: LayerTruth | None, product: ProductTruth) -> Verdict:
    if worn is None or product.garment.type != worn.garment.type:
        return "other"
    return "same" if is_true(product, worn.garment.garment()) else "similar"


def write_judgements(judgements: Iterable[Judgement], file: Path) -> None:
    """Write ``judgements`` as JSON Lines."""
    lines = (one.model_dump_json(exclude_none=True) + "\n" for one in judgements)
    file.write_text("".join(lines), encoding="utf-8")
