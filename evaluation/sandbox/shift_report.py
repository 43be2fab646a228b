"""The shift suite's results: matching quality per shift, against its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from evaluation.sandbox.look_report import JudgedLayer, quality
from evaluation.sandbox.shifts import SHIFTS, UNCHANGED, Shift
from evaluation.statistics import Estimate

FALSE_MATCHES_AT_MOST = 0.05


@dataclass(frozen=True, slots=True)
class ShiftResult:
    """Figures of one shift."""

    shift: Shift
    quality: dict[str, Estimate]
    """As :func:`evaluation.sandbox.look_report.quality`."""

    @property
    def hit(self) -> float:
        return self.quality["exact_hit_at_1"].value or 0.0

    @property
    def false_matches(self) -> float:
        return self.quality["false_matches_shown"].value or 0.0

    def met(self, unchanged: float) -> bool:
        """Whether both targets are met. ``unchanged``: hit@1 of the unchanged looks."""
        least = self.shift.target * (unchanged if self.shift.relative else 1.0)
        return self.hit >= least and self.false_matches <= FALSE_MATCHES_AT_MOST


def shift_results(judged: Mapping[str, Sequence[JudgedLayer]]) -> list[ShiftResult]:
    """The figures per shift, in the suite's order. ``judged``: layers by the shift's name."""
    return [ShiftResult(shift, quality(judged[shift.name])) for shift in SHIFTS]


def shift_record(results: Sequence[ShiftResult]) -> dict[str, Any]:
    """The results as JSON values: by the shift's name, its target and its figures."""
    return {
        one.shift.name: {
            "target": one.shift.target,
            "relative": one.shift.relative,
            "quality": {name: asdict(found) for name, found in one.quality.items()},
        }
        for one in results
    }


def shift_table(results: Sequence[ShiftResult]) -> Group:
    """Render one row per shift, then the worst and the mean."""
    unchanged = next(one.hit for one in results if one.shift is UNCHANGED)
    table = Table(title="Shifted looks", title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for column in ("hit@1", "95 %", "x unch.", "target", "false", "near"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in results:
        found = one.quality["exact_hit_at_1"]
        met = one.met(unchanged)
        table.add_row(
            one.shift.name,
            f"{one.hit:.3f}",
            "" if found.low is None else f"{found.low:.2f}-{found.high:.2f}",
            f"{one.hit / unchanged:.3f}" if unchanged else "",
            Text(_target(one.shift) + (" ✓" if met else " ✗"), "green" if met else "red"),
            f"{one.false_matches:.3f}",
            f"{1 - (one.quality['near_abstained'].value or 0.0):.2f}",
        )
    changed = [one for one in results if one.shift is not UNCHANGED]
    worst = min(changed, key=lambda one: one.hit)
    mean = fmean(one.hit for one in changed)
    return Group(
        table,
        f"worst: {worst.hit:.3f} ({worst.shift.name}); mean: {mean:.3f}",
        "target: least hit@1 of exact layers (x: times that of unchanged looks), and at most "
        f"{FALSE_MATCHES_AT_MOST} false matches; near: share of near layers for which something "
        "is shown",
    )


def _target(shift: Shift) -> str:
    return f"{shift.target:.2f}{' x' if shift.relative else '  '}"
