"""A flow's reported health follows from its heartbeats."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.gate import Gate
from operators.streaming.engine.keyed_calls import KeyedCalls, Wait
from operators.streaming.health.health import LOOP_CHECK_SECONDS, STALLED_SECONDS, Health
from operators.streaming.health.metrics import FlowMetrics
from schemas.errors import PictureUnavailable, Unavailable


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A flow's health on a clock that the test moves."""

    def __init__(self) -> None:
        self.clock, self.stop, self.gate = Clock(), threading.Event(), Gate(8)
        self.metrics = FlowMetrics(CollectorRegistry())
        self.health = Health("catalog", self.gate, self.metrics, self.stop, clock=self.clock)

    async def start(self) -> None:
        self.health.watch_loop(asyncio.get_running_loop())
        self.health.started()
        self.health.source_moved()


@pytest.fixture
async def flow() -> Watched:
    watched = Watched()
    await watched.start()
    return watched


def test_before_the_start_a_flow_is_alive_however_long_its_models_take() -> None:
    flow = Watched()

    flow.clock.now += 10 * STALLED_SECONDS
    now = flow.health.now()

    assert (now.started, now.alive, now.ready) == (False, True, False)


async def test_a_started_flow_is_not_ready_before_its_source_has_been_asked() -> None:
    flow = Watched()
    flow.health.watch_loop(asyncio.get_running_loop())
    flow.health.started()

    before = flow.health.now()
    flow.health.source_moved()

    assert (before.started, before.alive, before.ready) == (True, True, False)
    assert flow.health.now().ready


async def test_a_started_flow_is_ready(flow: Watched) -> None:
    now = flow.health.now()

    assert (now.started, now.alive, now.ready, now.stopping) == (True, True, True, False)
    assert now.epoch_age is None, "no epoch has ended yet"


async def test_a_stalled_engine_is_not_alive(flow: Watched) -> None:
    flow.clock.now += STALLED_SECONDS + 1
    flow.health.watch_loop(asyncio.get_running_loop())

    now = flow.health.now()

    assert (now.alive, now.ready) == (False, False)
    assert now.source_age == STALLED_SECONDS + 1
    assert now.loop_age == 0


async def test_a_stalled_event_loop_is_not_alive(flow: Watched) -> None:
    flow.clock.now += STALLED_SECONDS + 1
    flow.health.source_moved()

    assert not flow.health.now().alive


async def test_a_loop_that_moves_is_seen_to(flow: Watched) -> None:
    flow.clock.now += 5
    before = flow.health.now().loop_age

    await asyncio.sleep(1.5 * LOOP_CHECK_SECONDS)  # its older timer fires first

    assert (before, flow.health.now().loop_age) == (5, 0)


async def test_a_draining_flow_is_alive_but_not_ready(flow: Watched) -> None:
    flow.stop.set()
    flow.clock.now += STALLED_SECONDS + 1
    flow.health.watch_loop(asyncio.get_running_loop())

    now = flow.health.now()

    assert (now.alive, now.ready, now.stopping) == (True, False, True)


async def test_a_source_that_has_ended_need_not_move(flow: Watched) -> None:
    flow.health.source_ended()
    flow.clock.now += STALLED_SECONDS + 1
    flow.health.watch_loop(asyncio.get_running_loop())

    assert flow.health.now().alive


async def test_a_part_is_away_since_its_longest_wait(flow: Watched) -> None:
    start = flow.clock.now
    waits = [Wait("redis", start + 4, "later"), Wait("redis", start, "first")]
    flow.health.watch_waits(lambda: waits)
    flow.clock.now += 10

    (redis,) = flow.health.now().away

    assert (redis.part, redis.seconds, redis.waiting, redis.why) == ("redis", 10, 2, "later")
    assert not flow.health.now().ready
    assert flow.health.now().alive, "an outage is no reason to restart"

    waits.clear()

    assert flow.health.now().ready


async def test_a_part_that_the_flow_does_without_is_reported_and_leaves_it_ready(
    flow: Watched,
) -> None:
    flow.metrics.breaker_open.labels("vlm").set(0)
    assert flow.health.now().degraded == ()
    flow.metrics.breaker_open.labels("vlm").set(1)
    assert (flow.health.now().degraded, flow.health.now().ready) == (("vlm",), True)


async def test_brokers_that_do_not_answer_are_away(flow: Watched) -> None:
    outage: tuple[float, str] | None = (flow.clock.now, "all brokers down")
    flow.health.watch_topics("kafka", lambda: outage)
    flow.clock.now += 7

    (kafka,) = flow.health.now().away

    assert (kafka.part, kafka.seconds, kafka.waiting, kafka.why) == (
        "kafka",
        7,
        0,
        "all brokers down",
    )
    assert not flow.health.now().ready

    outage = None

    assert flow.health.now().ready


async def test_an_engine_that_waits_for_a_topic_is_alive_and_not_ready(flow: Watched) -> None:
    with flow.health.use_of("looks.matched"):
        flow.clock.now += 2
        assert flow.health.now().ready, "a write of two seconds is no outage"

        flow.clock.now += STALLED_SECONDS
        flow.health.watch_loop(asyncio.get_running_loop())
        during = flow.health.now()

    flow.health.source_moved()

    assert (during.alive, during.ready) == (True, False)
    assert [(part.part, part.seconds) for part in during.away] == [("looks.matched", 62)]
    assert flow.health.now().ready


async def test_position_lag_and_items_are_reported(flow: Watched) -> None:
    flow.gate.enter(3)
    flow.metrics.observe_source("catalog.updates", flow.metrics.lag_bytes)(1, 12, 3400)
    flow.health.epoch_ended()
    flow.clock.now += 2

    now = flow.health.now()

    assert (now.in_flight, now.epoch_age) == (3, 2)
    assert [(lag.topic, lag.partition, lag.value) for lag in now.lag] == [
        ("catalog.updates", "1", 3400)
    ]


async def test_a_call_waits_for_its_part_until_an_attempt_gets_through() -> None:
    answers: list[Exception | None] = [
        Unavailable("redis: connection refused", reason="redis"),
        Unavailable("weaviate: read-only", reason="weaviate"),
        None,
    ]
    waited_for: list[list[str]] = []

    async def handle(item: str) -> None:
        waited_for.append([wait.part for wait in calls.waits])
        if (answer := answers.pop(0)) is not None:
            raise answer

    calls = calls_of(handle)
    done = asyncio.Event()

    calls.submit("a", lambda outcome: done.set())
    await done.wait()

    assert waited_for == [[], ["redis"], ["weaviate"]]
    assert calls.waits == []


async def test_an_unreachable_picture_does_not_make_a_component_unhealthy() -> None:
    waited_for: list[Wait] = []

    async def handle(item: str) -> None:
        waited_for.extend(calls.waits)
        raise PictureUnavailable("https://example.com/x.png: timeout")

    calls = calls_of(handle)
    done = asyncio.Event()

    calls.submit("a", lambda outcome: done.set())
    await done.wait()

    assert waited_for == []


def calls_of(handle: Callable[[str], Awaitable[None]]) -> KeyedCalls[str, None]:
    policy = CallPolicy(8, 30.0, 3, first_pause_seconds=0.001, longest_pause_seconds=0.001)
    return KeyedCalls(handle, lambda item: item, policy, asyncio.get_running_loop())
