"""Runs a flow by its name: what ``looksync run catalog|looks [--once]`` calls."""

from __future__ import annotations

from typing import Literal

from dataflows.catalog import run_catalog
from dataflows.looks import run_looks
from schemas.settings import Settings

FlowName = Literal["catalog", "looks"]


def run_flow(name: FlowName, settings: Settings, once: bool) -> int:
    """Run the flow in this process until SIGTERM, SIGINT or, with ``once``, until its source's
    present end has been drained. The exit code: 0, 2 when settings are to be changed first, 3 when
    a part cannot be reached at the start (both logged). To be called in the main thread.
    """
    return {"catalog": run_catalog, "looks": run_looks}[name](settings, once=once)
