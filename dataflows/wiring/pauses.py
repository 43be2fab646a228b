"""A flow that is paused reads nothing, finishes what is in flight, and keeps its partitions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from dataflows.wiring.command_redis import open_command_redis
from operators.concurrency import running
from operators.stores.redis.pauses import RedisPauses
from operators.streaming.engine.gate import Gate
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import Settings

POLL_INTERVAL_SECONDS = 1.0

log = structlog.get_logger()


@asynccontextmanager
async def open_pauses(settings: Settings) -> AsyncIterator[RedisPauses]:
    """For commands. Raises Misconfigured or Unavailable."""
    async with open_command_redis(settings) as client:
        yield RedisPauses(client)


@asynccontextmanager
async def following_pauses(pauses: RedisPauses, flow: str, gate: Gate) -> AsyncIterator[None]:
    """Meanwhile, close ``gate`` while ``flow`` is paused; unchanged while Redis is unavailable."""
    await _follow(pauses, flow, gate)
    async with running(_poll(pauses, flow, gate)):
        yield


async def _poll(pauses: RedisPauses, flow: str, gate: Gate) -> None:
    while True:
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
        await _follow(pauses, flow, gate)


async def _follow(pauses: RedisPauses, flow: str, gate: Gate) -> None:
    try:
        reason = await pauses.reason(flow)
    except (Unavailable, Misconfigured):
        return  # the flow's calls meet the same outage, and health reports it
    if (reason is not None) != gate.paused:
        gate.paused = reason is not None
        log.warning("paused" if gate.paused else "resumed", flow=flow, reason=reason)
