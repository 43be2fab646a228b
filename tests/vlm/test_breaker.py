"""The circuit breaker's states."""

from __future__ import annotations

import pytest

from operators.models.vlm.breaker import CircuitBreaker
from schemas.errors import DeadlineExceeded, Unavailable


class FakeClock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker, error: Exception) -> None:
    with pytest.raises(type(error)), breaker.call():
        raise error


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def opened(clock: FakeClock) -> CircuitBreaker:
    breaker = CircuitBreaker(2, 10.0, clock)
    fail(breaker, Unavailable("down"))
    fail(breaker, DeadlineExceeded("slow"))
    return breaker


def test_it_opens_after_consecutive_failures(clock: FakeClock) -> None:
    breaker = CircuitBreaker(2, 10.0, clock)
    fail(breaker, Unavailable("down"))
    with breaker.call():
        pass
    fail(breaker, Unavailable("down"))
    assert breaker.state == "closed"
    fail(breaker, Unavailable("down"))
    assert breaker.state == "open"


def test_an_open_circuit_refuses_calls(opened: CircuitBreaker) -> None:
    with pytest.raises(Unavailable) as refused, opened.call():
        pytest.fail("called")
    assert refused.value.reason == "circuit-open"


def test_a_single_probe_runs_and_its_success_closes_the_circuit(
    opened: CircuitBreaker, clock: FakeClock
) -> None:
    clock.now += 10.0
    assert opened.state == "half-open"
    with opened.call(), pytest.raises(Unavailable), opened.call():
        pytest.fail("a second probe")
    assert opened.state == "closed"


def test_a_failed_probe_starts_a_full_pause(opened: CircuitBreaker, clock: FakeClock) -> None:
    clock.now += 10.0
    fail(opened, Unavailable("still down"))
    clock.now += 9.9
    assert opened.state == "open"
    clock.now += 0.2
    with opened.call():
        pass
    assert opened.state == "closed"


def test_other_errors_do_not_count_as_failures(clock: FakeClock) -> None:
    breaker = CircuitBreaker(1, 10.0, clock)
    fail(breaker, ValueError("a bug of ours"))
    assert breaker.state == "closed"


def test_a_probe_with_another_error_permits_a_second_probe(
    opened: CircuitBreaker, clock: FakeClock
) -> None:
    clock.now += 10.0
    fail(opened, ValueError("a bug of ours"))
    assert opened.state == "half-open"
    with opened.call():
        pass
    assert opened.state == "closed"
