"""Runs a flow by its name, for ``looksync run catalog|looks [--once]``."""

from __future__ import annotations

from typing import Literal

from dataflows.catalog import run_catalog
from dataflows.looks import run_looks
from schemas.settings import Settings

FlowName = Literal["catalog", "looks"]


def run_flow(name: FlowName, settings: Settings, once: bool) -> int:
    """Run the flow in this process until SIGTERM or SIGINT; with ``once``, until it has processed
    what its source topic holds now.

    The exit code: 0, 2 when settings must be changed first, 3 when a server is unreachable at the
    start (both are logged). Call it in the main thread.
    """
    return {"catalog": run_catalog, "looks": run_looks}[name](settings, once=once)
