"""Rows of one product: the first states values for the others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from operators.catalog.feeds.dialect import FillDown
from operators.catalog.feeds.rows import BadRow, Header, Row
from schemas.errors import InvalidFile

_MAX_GROUPS = 5_000
"""Groups whose first row is remembered: shops list variants near their product."""

_MAX_RUN = 10_000
"""Rows of one group that are kept to collect values over them."""


def filled_down(
    rows: Iterator[Header | Row | BadRow], rule: FillDown
) -> Iterator[Header | Row | BadRow]:
    """``rows`` with what the first row of their group says, and with the collected columns."""
    firsts: OrderedDict[str, dict[str, Any]] = OrderedDict()
    run: list[Row] = []
    run_key: str | None = None
    try:
        for row in rows:
            if not isinstance(row, Row):
                yield row
                continue
            key = _group(row, rule)
            if key != run_key or len(run) >= _MAX_RUN:
                yield from _collect(run, rule)
                run, run_key = [], key
            filled = row if key is None else _fill_down(row, key, firsts, rule)
            if key is None or not rule.collect:
                yield filled
            else:
                run.append(filled)
    except InvalidFile:
        yield from _collect(run, rule)
        raise
    yield from _collect(run, rule)


def _group(row: Row, rule: FillDown) -> str | None:
    values = (row.values.get(name) for name in rule.group)
    return next((str(value) for value in values if value not in (None, "")), None)


def _fill_down(row: Row, key: str, firsts: OrderedDict[str, dict[str, Any]], rule: FillDown) -> Row:
    first = firsts.get(key)
    if first is None:
        firsts[key] = {name: row.values[name] for name in rule.columns if name in row.values}
        if len(firsts) > _MAX_GROUPS:
            firsts.popitem(last=False)
        return row
    shared = {name: value for name, value in first.items() if row.values.get(name) in (None, "")}
    return Row(row.line, {**row.values, **shared})


def _collect(run: list[Row], rule: FillDown) -> Iterator[Row]:
    values: dict[str, list[Any]] = {}
    for name in rule.collect:
        cells = (row.values.get(name) for row in run)
        values[name] = list(dict.fromkeys(value for value in cells if value not in (None, "")))
    for row in run:
        own = {name: list_ for name, list_ in values.items() if name in row.values}
        yield Row(row.line, {**row.values, **own})
