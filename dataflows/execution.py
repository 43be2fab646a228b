"""Executes one flow in this process: with our own command or with the engine's."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  see for_engine
import gc
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta

import structlog
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from dataflows.runtime import FlowRuntime, flow_runtime
from operators.file_errors import file_problem
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import FlowSettings, Settings

MISCONFIGURED = 2
"""Exit code when the flow cannot run with these settings; the message says what to change."""
UNAVAILABLE = 3
"""Exit code when a server is unreachable at the start; once running, the flow waits for it."""

YOUNG_OBJECTS = 50_000
"""New objects after which garbage is collected: those of some 500 packets, a few MiB."""

OpenFlow = Callable[[Settings, FlowRuntime], AbstractContextManager[Dataflow]]
"""Opens a flow's clients, builds the flow on them, closes them at the end."""


def execute(
    name: str, flow: FlowSettings, settings: Settings, open_flow: OpenFlow, *, once: bool
) -> int:
    """Run flow ``name`` until SIGTERM, SIGINT or, with ``once``, its source's end; the exit code.

    Call it in the main thread.
    """
    log = structlog.get_logger().bind(flow=name)
    try:
        with (
            flow_runtime(name, flow, settings, once=once) as runtime,
            open_flow(settings, runtime) as dataflow,
        ):
            runtime.health.started()
            log.info("flow started", once=once)
            # The libraries' million objects stay: without this, collecting the packets' garbage
            # looks at them again and again, up to a fifth of the loop's time.
            gc.freeze()
            # And what is in flight is looked at once in thousands of packets, not in a dozen.
            gc.set_threshold(YOUNG_OBJECTS)
            store = runtime.store
            cli_main(  # type: ignore[no-untyped-call]
                dataflow,
                epoch_interval=timedelta(seconds=settings.stream.epoch_seconds),
                recovery_config=store and RecoveryConfig(store.folder),  # type: ignore[no-untyped-call]
            )
            log.info(
                "flow ended", stopped=runtime.lane.stop.is_set(), counts=runtime.metrics.counts()
            )
    except BaseException as error:  # the engine's panics do not derive from Exception
        reason = _user_facing_cause(error) or file_problem(error)
        if reason is None:
            raise
        log.error("flow cannot run", error=str(reason))
        return MISCONFIGURED if isinstance(reason, Misconfigured) else UNAVAILABLE
    return 0


def for_engine(name: str, flow: FlowSettings, settings: Settings, open_flow: OpenFlow) -> Dataflow:
    """Build the flow for ``python -m bytewax.run``; its clients are closed at process exit."""
    with ExitStack() as opened:
        runtime = opened.enter_context(flow_runtime(name, flow, settings, once=False))
        dataflow = opened.enter_context(open_flow(settings, runtime))
        runtime.health.started()
        # Clients are closed on threads, so this must run before Python shuts its thread pools down:
        # atexit is too late, and callbacks run in reverse order of registration, hence the import
        # of the pool's module above.
        threading._register_atexit(opened.pop_all().close)  # type: ignore[attr-defined]
    return dataflow


def _user_facing_cause(error: BaseException | None) -> Misconfigured | Unavailable | None:
    """The Misconfigured or Unavailable that the engine wrapped in ``error``, if there is one."""
    while error is not None and not isinstance(error, Misconfigured | Unavailable):
        error = error.__cause__ or error.__context__
    return error
