"""The look flow on quick parts, for ``python -m bytewax.run``; its folder is in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from bytewax.dataflow import Dataflow
from flow_process import flow_settings, open_looks

from dataflows.execution import for_engine


def get_flow() -> Dataflow:
    base = Path(os.environ["LOOKSYNC_TEST_BASE"])
    settings = flow_settings(base)
    return for_engine("looks", settings.stream.looks, settings, open_looks(base))
