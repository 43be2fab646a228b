"""The report of a whole run: report.json, and what of it makes a run fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluation.sandbox.catalog_report import CatalogReport
from evaluation.sandbox.look_report import LookReport

TARGETS: Mapping[str, tuple[str, float]] = {
    "exact_hit_at_1": (">=", 0.70),
    "exact_hit_at_10": (">=", 0.95),
    "near_attribute_agreement": (">=", 0.85),
    "absent_abstained": (">=", 0.80),
    "exact_wrongly_abstained": ("<=", 0.05),
    "layer_precision": (">=", 0.95),
    "layer_recall": (">=", 0.95),
}
"""Wanted on a held-out seed with 3,000 products and 100 looks."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run of a sandbox world came to."""

    seed: int
    products: int
    seconds: float
    """Wall-clock time of the whole run."""
    catalog: CatalogReport
    looks: LookReport

    def to_json(self) -> str:
        """The report as JSON.

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
        """Why the run has failed, in words: broken promises, not missed quality targets."""
        failures = []
        catalog, looks = self.catalog, self.looks
        if not catalog.index_equals_truth:
            first = catalog.differences[0]
            failures.append(
                f"the index is not the truth: {catalog.differences_found} differences, first "
                f"{first.key} {first.what}: expected {first.expected}, found {first.found}"
            )
        if catalog.embeddings_for_metadata:
            failures.append(f"{catalog.embeddings_for_metadata} embeddings for metadata changes")
        if not catalog.dead_as_expected:
            wanted = catalog.expected.get("dead", 0)
            failures.append(
                f"{catalog.dead} dead letters of other records than the {wanted} broken"
            )
        if catalog.changes_duplicated:
            failures.append(f"{catalog.changes_duplicated} changes published twice")
        if looks.missing:
            failures.append(f"{looks.missing} looks without an event")
        if looks.duplicated:
            failures.append(f"{looks.duplicated} events of looks that had one already")
        if looks.unasked:
            failures.append(f"{looks.unasked} events of looks that nobody sent")
        return failures
