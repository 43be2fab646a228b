"""``looksync calibrate``: what was fitted, and how well it holds."""

from __future__ import annotations

import asyncio

from rich.console import Console

from dataflows.jobs.calibrate import calibrate
from evaluation.statistics import calibration_error
from schemas.settings import Settings


def run_calibrate(settings: Settings, sample: int, console: Console) -> None:
    """Calibrate, and print the errors on products that were not fitted to."""
    fitted = asyncio.run(calibrate(settings, sample))
    held = fitted.held_out
    item = calibration_error([one.item for one in held], [one.is_item for one in held])
    kind = calibration_error([one.kind for one in held], [one.is_kind for one in held])
    console.print(
        f"{fitted.fingerprint}: calibrated on {fitted.layers} products. Calibration error (ECE) on "
        f"{len(held)} held-out pairs: same item {item or 0:.3f}, same kind {kind or 0:.3f}.\n"
        "Flows use it from their next start.",
        highlight=False,
    )
