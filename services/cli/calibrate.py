"""``looksync calibrate``: what was fitted, and how well it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from dataflows.jobs.calibrate import HeldOut, calibrate
from dataflows.jobs.calibrate_judged import calibrate_judged
from dataflows.jobs.judgement_file import summarise
from evaluation.statistics import Estimate, estimate_calibration
from schemas.settings import Settings
from services.cli.console import as_text


def run_calibrate(settings: Settings, sample: int, console: Console) -> None:
    """Calibrate on the catalog, and print the errors on products that were not fitted to."""
    fitted = asyncio.run(calibrate(settings, sample))
    console.print(
        f"{fitted.fingerprint}: calibrated on {fitted.layers} products. Calibration error (ECE) on "
        f"{len(fitted.held_out)} held-out pairs: {_errors(fitted.held_out)}.\n"
        "Flows use it from their next start.",
        highlight=False,
    )


def run_calibrate_judged(settings: Settings, file: Path, console: Console) -> None:
    """Calibrate on judged looks; print the errors on pictures that were not fitted to, those of the
    fit in force before, and the lines that were not used."""
    done = asyncio.run(calibrate_judged(settings, file))
    origin = done.fitted.origin_in_force(by_model=done.by_model)
    describer = "a vision-language model" if done.by_model else "the tagger"
    before = done.before.origin_in_force(by_model=done.by_model)
    known = "; it may know these pictures" if before and before.source == "judged" else ""
    lines = [
        f"{done.fingerprint}: calibrated on {origin}, for layers described by {describer}.",
        "Calibration error (ECE, with the interval of 95 %) on held-out pictures: "
        f"{_errors(done.held_out)}.",
        f"Before ({before or 'shipped with the encoder'}{known}): {_errors(done.held_out_before)}."
        if done.held_out_before
        else "Before: uncalibrated.",
    ]
    if done.unused:
        lines.append(f"Lines that were not used: {len(done.unused):,}\n{summarise(done.unused)}")
    lines.append("Flows use it from their next start.")
    console.print(as_text("\n".join(lines)), soft_wrap=True)


def _errors(held: Sequence[HeldOut]) -> str:
    item = estimate_calibration((one.picture, one.item, one.is_item) for one in held)
    kind = estimate_calibration((one.picture, one.kind, one.is_kind) for one in held)
    return f"same item {_shown(item)}, same kind {_shown(kind)}"


def _shown(error: Estimate) -> str:
    return f"{error.value or 0:.3f} ({error.low or 0:.3f} to {error.high or 0:.3f})"
