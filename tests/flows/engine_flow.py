"""The look flow with fast doubles, for ``python -m bytewax.run``.

The environment names its folder, and with LOOKSYNC_TEST_HOLD_AFTER a number of calls: later ones
do not end before the flow is asked to stop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bytewax.dataflow import Dataflow

from dataflows import looks
from dataflows.execution import for_engine
from dataflows.runtime import FlowRuntime
from operators.budget import Budget
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches
from schemas.settings import Settings
from tests.flows.flow_process import NOW, Effects, flow_settings, refuse


def get_flow() -> Dataflow:
    base = Path(os.environ["LOOKSYNC_TEST_BASE"])
    hold_after = int(os.environ.get("LOOKSYNC_TEST_HOLD_AFTER", 10**9))
    settings = flow_settings(base)

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        calls = count(1)

        async def match(look: Look, budget: Budget) -> LookMatches:
            if next(calls) > hold_after:
                while not runtime.lane.stop.is_set():  # noqa: ASYNC110  set by a signal
                    await asyncio.sleep(0.001)
            return LookMatches(
                event_id=matched_event_id(look.look_id), look_id=look.look_id, matched_at=NOW
            )

        yield looks.build(settings, match, refuse, Effects(base), runtime)

    return for_engine("looks", settings.stream.looks, settings, open_flow)
