"""The report of a whole run: report.json, and the failures in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.sandbox.catalog_report import CatalogReport
from evaluation.sandbox.look_report import LookReport

TARGETS: Mapping[str, tuple[str, float]] = {
    "exact_hit_at_1": (">=", 0.98),
    "exact_hit_at_10": (">=", 0.95),
    "near_attribute_agreement": (">=", 0.86),
    "near_closest_first": (">=", 0.88),
    "near_abstained": ("<=", 0.03),
    "absent_abstained": (">=", 0.95),
    "exact_wrongly_abstained": ("<=", 0.05),
    "ece": ("<=", 0.03),
    "layer_precision": (">=", 0.95),
    "layer_recall": (">=", 0.95),
}
"""Targets on a held-out seed with 3,000 products and 100 looks."""


@dataclass(frozen=True, slots=True)
class Report:
    """Results of a run on a sandbox world."""

    seed: int
    products: int
    seconds: float
    """Wall-clock time of the whole run."""
    catalog: CatalogReport
    looks: LookReport

    def to_json(self) -> str:
        """Return the report as JSON.

        Keys: ``seed, products, seconds``; ``catalog``; ``looks`` (``looks.requested`` is the
        number of looks asked for); ``quality`` (each figure ``{value, low, high, n}``) and
        ``per_department`` (the same figures).
        """
        looks: dict[str, Any] = asdict(self.looks)
        quality, per_department = looks.pop("quality"), looks.pop("per_department")
        record = {
            "seed": self.seed,
            "products": self.products,
            "seconds": round(self.seconds, 3),
            "catalog": asdict(self.catalog),
            "looks": looks,
            "quality": quality,
            "per_department": per_department,
        }
        return json.dumps(record, ensure_ascii=False, indent=2)

    def failures(self) -> list[str]:
        """Describe broken guarantees. Missed quality targets are not failures."""
        failures = []
        catalog, looks = self.catalog, self.looks
        if not catalog.index_equals_truth:
            first = catalog.differences[0]
            failures.append(
                f"the index differs from the truth in {catalog.differences_found} places, first "
                f"{first.key} {first.what}: expected {first.expected}, found {first.found}"
            )
        if catalog.embeddings_for_metadata:
            failures.append(f"{catalog.embeddings_for_metadata} embeddings for metadata changes")
        if not catalog.dead_as_expected:
            wanted = catalog.expected.get("dead", 0)
            failures.append(f"the {catalog.dead} dead letters are not the {wanted} broken packets")
        if catalog.changes_duplicated:
            failures.append(f"{catalog.changes_duplicated} changes published twice")
        if looks.missing:
            failures.append(f"{looks.missing} looks without an event")
        if looks.duplicated:
            failures.append(f"{looks.duplicated} duplicate events")
        if looks.unexpected:
            failures.append(f"{looks.unexpected} events of looks that were not sent")
        return failures
