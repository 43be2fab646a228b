"""The report's figures as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table

from evaluation.sandbox.look_report import LookReport
from evaluation.sandbox.report import TARGETS, Report
from evaluation.statistics import Estimate
from schemas.catalog import Decision

LABELS = {
    "exact_hit_at_1": "exact: hit@1",
    "exact_hit_at_10": "exact: hit@10",
    "exact_mrr": "exact: MRR",
    "exact_wrongly_abstained": "exact: wrongly abstained",
    "near_attribute_agreement": "near: attribute agreement",
    "near_closest_first": "near: closest first",
    "near_abstained": "near: abstained",
    "absent_abstained": "absent: abstained",
    "false_matches_shown": "false matches shown",
    "layer_precision": "layers: precision",
    "layer_recall": "layers: recall",
}


def report_table(report: Report) -> Group:
    """Render a run: catalog, looks, and quality with intervals and targets."""
    return Group(
        _catalog(report), _looks(report.looks), _quality(report.looks), _departments(report.looks)
    )


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of matching."""

    report: LookReport
    calls: float
    """Requests to the vision-language model per look."""
    cpu_ms: float
    """Processor time of this process per look."""


def ablation_table(variants: Mapping[str, Variant]) -> Table:
    """Render one row per variant."""
    columns = {
        "exact_hit_at_1": "hit@1",
        "exact_hit_at_10": "hit@10",
        "near_attribute_agreement": "near agree",
        "near_closest_first": "closest first",
        "exact_wrongly_abstained": "wrongly abst.",
        "absent_abstained": "absent abst.",
    }
    table = _table(
        "Ways of matching", "", *columns.values(), "p50 ms", "p95 ms", "CPU ms", "calls/look"
    )
    for name, variant in variants.items():
        report = variant.report
        table.add_row(
            name,
            *(_value(report.quality[figure]) for figure in columns),
            *("–" if ms is None else f"{ms:.0f}" for ms in (report.p50_ms, report.p95_ms)),
            f"{variant.cpu_ms:.0f}",
            f"{variant.calls:.1f}",
        )
    return table


def _catalog(report: Report) -> Table:
    catalog = report.catalog
    least, most = catalog.embeddings_expected
    table = _table("Catalog", "", "found", "expected")
    table.add_row("packets", f"{catalog.packets:,}", "")
    table.add_row("dead", f"{catalog.dead:,}", f"{catalog.expected.get('dead', 0):,}")
    stale = "not counted" if catalog.stale is None else f"{catalog.stale:,}"
    table.add_row("stale or repeated", stale, f"{catalog.expected.get('stale', 0):,}")
    table.add_row("indexed", f"{catalog.indexed:,}", "")
    # Everything in the sandbox is fashion.
    kept_out = catalog.decisions.get(Decision.NOT_FASHION, 0)
    table.add_row("kept out as not fashion", f"{kept_out:,}", "0")
    verdict = "[green]yes[/]" if catalog.index_equals_truth else "[bold red]no[/]"
    table.add_row("index equals truth", verdict, "yes")
    table.add_row("embeddings", f"{catalog.embeddings:,}", f"{least:,} to {most:,}")
    table.add_row("embeddings for metadata", f"{catalog.embeddings_for_metadata:,}", "0")
    return table


def _looks(looks: LookReport) -> Table:
    table = _table("Looks", "", "found", "expected")
    table.add_row("events", f"{looks.events:,}", f"{looks.requested:,}")
    table.add_row("missing", f"{looks.missing:,}", "0")
    table.add_row("duplicated", f"{looks.duplicated:,}", "0")
    table.add_row("latency p50 / p95", f"{_ms(looks.p50_ms)} / {_ms(looks.p95_ms)}", "")
    return table


def _quality(looks: LookReport) -> Table:
    table = _table("Quality", "", "value", "95 % interval", "layers", "target")
    for name, label in LABELS.items():
        found = looks.quality[name]
        interval = "" if found.low is None else f"{found.low:.3f} to {found.high:.3f}"
        table.add_row(label, _value(found), interval, str(found.n), _target(name, found.value))
    for name, label in (("same_item", "exact"), ("same_kind", "similar")):
        error = looks.calibration_error[name]
        value = "–" if error is None else f"{error:.3f}"
        table.add_row(f"{label}: calibration error", value, "", "", _target("ece", error))
    return table


def _departments(looks: LookReport) -> Table:
    columns = {
        "exact_hit_at_1": "hit@1",
        "exact_hit_at_10": "hit@10",
        "near_attribute_agreement": "near",
        "absent_abstained": "absent",
        "layer_precision": "precision",
        "layer_recall": "recall",
    }
    table = _table("By department", "", *columns.values())
    for department, figures in looks.per_department.items():
        table.add_row(department, *(_value(figures[name]) for name in columns))
    return table


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=60)
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _value(found: Estimate) -> str:
    return "–" if found.value is None else f"{found.value:.3f}"


def _ms(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:.0f} ms"


def _target(name: str, value: float | None) -> str:
    if name not in TARGETS or value is None:
        return ""
    sense, bound = TARGETS[name]
    met = value >= bound if sense == ">=" else value <= bound
    return f"[green]{sense} {bound:.2f} ✓[/]" if met else f"[red]{sense} {bound:.2f} ✗[/]"
