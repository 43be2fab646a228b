"""The circuit breaker's states."""

from __future__ import annotations

import pytest

from operators.models.vlm.breaker import CircuitBreaker
from schemas.errors import DeadlineExceeded, Unavailable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def failing(breaker: CircuitBreaker, error: Exception) -> None:
    with pytest.raises(type(error)), breaker.call():
        raise error


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(2, 10.0, clock)
    failing(breaker, Unavailable("down"))
    failing(breaker, DeadlineExceeded("slow"))
    return breaker


def test_it_opens_after_failures_in_a_row(clock: Clock) -> None:
    breaker = CircuitBreaker(2, 10.0, clock)
    failing(breaker, Unavailable("down"))
    with breaker.call():
        pass
    failing(breaker, Unavailable("down"))
    assert breaker.state == "closed"
    failing(breaker, Unavailable("down"))
    assert breaker.state == "open"


def test_open_means_that_nothing_is_called(opened: CircuitBreaker) -> None:
    with pytest.raises(Unavailable) as refused, opened.call():
        pytest.fail("called")
    assert refused.value.reason == "circuit-open"


def test_one_probe_at_a_time_and_its_success_closes(opened: CircuitBreaker, clock: Clock) -> None:
    clock.now = 10.0
    assert opened.state == "half-open"
    with opened.call(), pytest.raises(Unavailable), opened.call():
        pytest.fail("a second probe")
    assert opened.state == "closed"


def test_a_failed_probe_opens_again_for_the_whole_time(
    opened: CircuitBreaker, clock: Clock
) -> None:
    clock.now = 10.0
    failing(opened, Unavailable("still down"))
    clock.now = 19.9
    assert opened.state == "open"
    clock.now = 20.0
    with opened.call():
        pass
    assert opened.state == "closed"


def test_other_errors_say_nothing_about_the_server(clock: Clock) -> None:
    breaker = CircuitBreaker(1, 10.0, clock)
    failing(breaker, ValueError("a bug of ours"))
    assert breaker.state == "closed"
