"""Figures of looks of the second world: attributes, styles, filters, and where score is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group
from rich.table import Table

from evaluation.statistics import Estimate, estimate, hit_at

MISPLACED = 0.2
"""Intersection over union with the true box below which a region shows something else."""

OUTCOMES = (
    "not found",
    "found elsewhere",
    "nothing shown",
    "several attributes wrong",
    "category wrong",
    "colour wrong",
    "pattern wrong",
    "right attributes, other style",
    "the very style",
)
"""How a layer ends; the first that applies."""

_LABELS = {
    "attribute_hit_at_1": "right attributes first",
    "instance_hit_at_1": "the very style first",
    "instance_hit_at_10": "the very style among ten",
    "near_duplicate_first": "a near-duplicate first",
    "layers_found": "layers found",
    "layers_shown": "layers shown",
    "layer_precision": "layers reported that are worn",
    "excluded_answered": "excluded: another one shown",
    "excluded_shown": "excluded: shown (must be 0)",
}
_BRIEF = {
    "attribute_hit_at_1": "attrs",
    "instance_hit_at_1": "style",
    "near_duplicate_first": "near",
    "layers_found": "found",
    "layers_shown": "shown",
}
"""Columns of the table by department."""

_ALL, _TRAINED = "all", "trained departments"


@dataclass(frozen=True, slots=True)
class SecondWorldLayer:
    """One layer of one look: what is worn and visible, or reported without being worn."""

    look_id: str
    department: str
    worn: str | None
    """Key of the product worn; None: nothing visible of the department is."""
    excluded: bool
    """Whether the look's filters exclude that product."""
    near_duplicates: frozenset[str]
    """Of the product worn."""
    reported: bool
    overlap: float
    """Intersection over union of the region reported and the true box; 0 without either."""
    ranked: tuple[str, ...]
    """Keys of the products shown, best first."""
    agrees: tuple[bool, bool, bool]
    """Whether the first product agrees in category, colour and pattern; False without one."""

    @property
    def outcome(self) -> str:
        """One of OUTCOMES. Only for layers that are worn."""
        if not self.reported:
            return "not found"
        if self.overlap < MISPLACED:
            return "found elsewhere"
        if not self.ranked:
            return "nothing shown"
        wrong = [
            name
            for name, agrees in zip(("category", "colour", "pattern"), self.agrees, strict=True)
            if not agrees
        ]
        if wrong:
            return "several attributes wrong" if len(wrong) > 1 else f"{wrong[0]} wrong"
        same = self.ranked[0] == self.worn
        return "the very style" if same else "right attributes, other style"


@dataclass(frozen=True, slots=True)
class SecondWorldReport:
    """The figures of one way of matching; :func:`figures` defines them."""

    groups: Mapping[str, Mapping[str, Estimate]]
    """All layers, those of departments that the encoder was trained on, and each department."""
    outcomes: Mapping[str, Mapping[str, float]]
    """Group -> outcome -> share of the layers worn whose product is not excluded."""

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "groups": {
                group: {name: asdict(found) for name, found in named.items()}
                for group, named in self.groups.items()
            },
            "outcomes": {group: dict(shares) for group, shares in self.outcomes.items()},
        }


def second_world_report(
    layers: Sequence[SecondWorldLayer], trained: Collection[str]
) -> SecondWorldReport:
    """``trained``: departments that the encoder was trained on."""
    departments = sorted({one.department for one in layers if one.worn is not None})
    groups = {
        _ALL: list(layers),
        _TRAINED: [one for one in layers if one.department in trained],
        **{name: [one for one in layers if one.department == name] for name in departments},
    }
    return SecondWorldReport(
        {name: figures(chosen) for name, chosen in groups.items()},
        {name: _outcomes(chosen) for name, chosen in groups.items()},
    )


def figures(layers: Sequence[SecondWorldLayer]) -> dict[str, Estimate]:
    """The figures, each a mean over layers with an interval over looks.

    - ``attribute_hit_at_1``: over the layers whose product may be shown, whether the first product
      agrees in category, colour and pattern with what is worn. 0 if nothing is shown.
    - ``instance_hit_at_1``, ``instance_hit_at_10``: over these layers, whether the very style is
      first, or among the first ten.
    - ``near_duplicate_first``: over these layers, whether a near-duplicate is first.
    - ``layers_found``, ``layers_shown``: share of the layers worn that are reported, and for which
      something is shown. ``layer_precision``: share of the layers reported that are worn.
    - ``excluded_answered``: over the layers whose product the look's filters exclude, whether
      another product is shown. ``excluded_shown``: whether the excluded one is: must be 0.
    """
    worn = [one for one in layers if one.worn is not None]
    asked = [one for one in worn if not one.excluded]
    excluded = [one for one in worn if one.excluded]
    reported = [one for one in layers if one.reported]

    def mean(
        chosen: Sequence[SecondWorldLayer], score: Callable[[SecondWorldLayer], float]
    ) -> Estimate:
        return estimate((one.look_id, float(score(one))) for one in chosen)

    return {
        "attribute_hit_at_1": mean(asked, lambda one: all(one.agrees)),
        "instance_hit_at_1": mean(asked, lambda one: hit_at(one.ranked, _true(one), 1)),
        "instance_hit_at_10": mean(asked, lambda one: hit_at(one.ranked, _true(one), 10)),
        "near_duplicate_first": mean(asked, lambda one: hit_at(one.ranked, one.near_duplicates, 1)),
        "layers_found": mean(worn, lambda one: one.reported),
        "layers_shown": mean(worn, lambda one: bool(one.ranked)),
        "layer_precision": mean(reported, lambda one: one.worn is not None),
        "excluded_answered": mean(excluded, lambda one: bool(set(one.ranked) - _true(one))),
        "excluded_shown": mean(excluded, lambda one: one.worn in one.ranked),
    }


def _true(layer: SecondWorldLayer) -> frozenset[str]:
    return frozenset() if layer.worn is None else frozenset({layer.worn})


def _outcomes(layers: Sequence[SecondWorldLayer]) -> dict[str, float]:
    ends = [one.outcome for one in layers if one.worn is not None and not one.excluded]
    return {name: ends.count(name) / len(ends) if ends else 0.0 for name in OUTCOMES}


def second_world_tables(roads: Mapping[str, SecondWorldReport]) -> Group:
    """Render the figures, and where the score is lost. ``roads``: ways of matching by name."""
    return Group(*(table for road, report in roads.items() for table in _tables(road, report)))


def _tables(road: str, report: SecondWorldReport) -> list[Table]:
    figures_of = report.groups
    main = _table(f"Second world, {road}", _ALL, "95 %", "layers", "trained")
    for name, label in _LABELS.items():
        found = figures_of[_ALL][name]
        interval = "" if found.low is None else f"{found.low:.2f}-{found.high:.2f}"
        main.add_row(
            label, _value(found), interval, str(found.n), _value(figures_of[_TRAINED][name])
        )
    ends = _table(f"How layers end, {road}", _ALL, "trained")
    for outcome in OUTCOMES:
        shares = (report.outcomes[group][outcome] for group in (_ALL, _TRAINED))
        ends.add_row(outcome, *(f"{share:.3f}" for share in shares))
    parts = _table(f"By department, {road}", *_BRIEF.values(), "layers")
    for group, found_in in figures_of.items():
        if group not in (_ALL, _TRAINED):
            cells = (_value(found_in[name]) for name in _BRIEF)
            parts.add_row(group, *cells, str(found_in["layers_found"].n))
    return [main, ends, parts]


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", min_width=60)
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _value(found: Estimate) -> str:
    return "–" if found.value is None else f"{found.value:.3f}"
