# ruff: noqa: ASYNC110  outcomes are reported by callback: waiting for them is polling
"""Items to be called, and their outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from operators.streaming.engine.batches import BatchedCalls
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.outcomes import Outcome

POLICY = CallPolicy(
    window=4,
    deadline_seconds=5.0,
    attempts=3,
    first_pause_seconds=0.001,
    longest_pause_seconds=0.002,
)


@dataclass(frozen=True)
class Item:
    key: str
    number: int
    yields: int = 0
    """How often the call lets others run."""
    failures: int = 0
    """How often a part is unavailable before the call succeeds."""
    error: type[BaseException] | None = None


async def outcomes_of(
    handle: Callable[[Item], Awaitable[int]], items: list[Item], policy: CallPolicy = POLICY
) -> list[Outcome[Item, int]]:
    calls = KeyedCalls(handle, lambda item: item.key, policy, asyncio.get_running_loop())
    return await submit_all(calls, items)


async def submit_all(
    calls: KeyedCalls[Item, int] | BatchedCalls[Item, int], items: list[Item]
) -> list[Outcome[Item, int]]:
    """Submit ``items`` in their order, and wait for their outcomes."""
    outcomes: list[Outcome[Item, int]] = []
    for item in items:
        calls.submit(item, outcomes.append)
    while len(outcomes) < len(items):
        await asyncio.sleep(0)
    return outcomes
