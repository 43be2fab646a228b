"""Executes one flow in this process: by ourselves, or under the engine's own command."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  see for_engine
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta

import structlog
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from dataflows.runtime import FlowRuntime, flow_runtime
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import FlowSettings, Settings

MISCONFIGURED = 2
"""Exit code when the flow cannot run as it is set up; the message says what to change."""
UNAVAILABLE = 3
"""Exit code when a part cannot be reached at the start; once running, the flow waits for it."""

OpenFlow = Callable[[Settings, FlowRuntime], AbstractContextManager[Dataflow]]
"""Opens a flow's parts and builds it on them; closes them at the end."""


def execute(
    name: str, flow: FlowSettings, settings: Settings, open_flow: OpenFlow, *, once: bool
) -> int:
    """Run flow ``name`` until SIGTERM, SIGINT or, with ``once``, its source's end; the exit code.

    To be called in the main thread.
    """
    log = structlog.get_logger().bind(flow=name)
    try:
        with (
            flow_runtime(name, flow, settings, once=once) as runtime,
            open_flow(settings, runtime) as dataflow,
        ):
            runtime.health.started()
            log.info("flow started", once=once)
            cli_main(  # type: ignore[no-untyped-call]
                dataflow,
                epoch_interval=timedelta(seconds=settings.stream.epoch_seconds),
                recovery_config=RecoveryConfig(runtime.store.folder),  # type: ignore[no-untyped-call]
            )
            for hand_over in runtime.at_end:
                hand_over()
            log.info(
                "flow ended", stopped=runtime.lane.stop.is_set(), counts=runtime.metrics.counts()
            )
    except Exception as error:
        reason = _told(error)
        if reason is None:
            raise
        log.error("flow cannot run", error=str(reason))
        return MISCONFIGURED if isinstance(reason, Misconfigured) else UNAVAILABLE
    return 0


def for_engine(name: str, flow: FlowSettings, settings: Settings, open_flow: OpenFlow) -> Dataflow:
    """The flow for ``python -m bytewax.run``; it is closed when the process ends."""
    with ExitStack() as opened:
        runtime = opened.enter_context(flow_runtime(name, flow, settings, once=False))
        dataflow = opened.enter_context(open_flow(settings, runtime))
        runtime.health.started()
        # Neither atexit nor before the import above: the last registered is called first, and parts
        # close on threads, which Python's pools refuse once their own turn has come.
        threading._register_atexit(opened.pop_all().close)  # type: ignore[attr-defined]
    return dataflow


def _told(error: BaseException | None) -> Misconfigured | Unavailable | None:
    """What ``error`` is or comes from, if it is for people: the engine wraps what it passes on."""
    while error is not None and not isinstance(error, Misconfigured | Unavailable):
        error = error.__cause__ or error.__context__
    return error
