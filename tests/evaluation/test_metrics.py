import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.sandbox.agreement import differences
from evaluation.statistics import (
    calibration_error,
    estimate,
    estimate_calibration,
    hit_at,
    reciprocal_rank,
)
from sandbox.world import Garment

SHIRT = Garment("top", "shirt", "red", "striped", "white", sleeve="short sleeve")


@pytest.mark.parametrize(
    ("ranked", "k", "expected"),
    [(["a", "b"], 1, 0.0), (["a", "b"], 2, 1.0), (["b"], 10, 1.0), ([], 10, 0.0)],
)
def test_hit_at(ranked: list[str], k: int, expected: float) -> None:
    assert hit_at(ranked, {"b", "z"}, k) == expected


@pytest.mark.parametrize(
    ("ranked", "expected"),
    [(["b"], 1.0), (["a", "c", "b", "z"], 1 / 3), (["a"], 0.0), ([], 0.0)],
)
def test_reciprocal_rank_is_that_of_the_first_true_key(ranked: list[str], expected: float) -> None:
    assert reciprocal_rank(ranked, {"b", "z"}) == expected


def test_differences_are_counted_per_attribute() -> None:
    other_colour = Garment("top", "shirt", "navy", "striped", "white", sleeve="short sleeve")
    other_sleeve = Garment("top", "shirt", "red", "striped", "white", sleeve="long sleeve")
    nothing = Garment("top", "sweater", "navy", "solid", neckline="v-neck")
    assert differences(SHIRT, SHIRT) == 0
    assert differences(SHIRT, other_colour) == 1
    assert differences(SHIRT, other_sleeve) == 1
    assert differences(SHIRT, nothing) == 5


def test_what_a_coat_hides_is_not_compared() -> None:
    under_a_coat = Garment("top", "shirt", "red", "striped", "white", sleeve=None)
    long_sleeved = Garment("top", "shirt", "red", "striped", "white", sleeve="long sleeve")
    assert differences(under_a_coat, long_sleeved) == 0


def test_the_second_colour_of_a_plain_garment_is_not_compared() -> None:
    jeans = Garment("bottom", "jeans", "blue", "solid")
    dotted_trousers = Garment("bottom", "trousers", "blue", "dotted", "white")
    assert differences(jeans, dotted_trousers) == 2


def test_an_estimate_is_the_mean_over_layers() -> None:
    found = estimate([("one", 1.0), ("one", 0.0), ("one", 1.0), ("two", 1.0)])
    assert found.value == pytest.approx(3 / 4)
    assert found.n == 4
    assert found.low is not None
    assert found.high is not None
    # Drawn are two looks with replacement: only "one" (2/3), both (3/4), or only "two" (1).
    assert found.low == pytest.approx(2 / 3)
    assert found.high == pytest.approx(1.0)


def test_the_interval_of_independent_layers_is_that_of_a_proportion() -> None:
    found = estimate((str(n), float(n % 5 != 0)) for n in range(500))
    assert found.value == pytest.approx(0.8)
    half_width = 1.96 * math.sqrt(0.8 * 0.2 / 500)
    assert found.low == pytest.approx(0.8 - half_width, abs=0.006)
    assert found.high == pytest.approx(0.8 + half_width, abs=0.006)


def test_layers_that_share_a_look_widen_the_interval() -> None:
    scores = [float(n % 5 != 0) for n in range(100)]
    alone = estimate((f"{n}-{copy}", s) for n, s in enumerate(scores) for copy in range(4))
    shared = estimate((str(n), s) for n, s in enumerate(scores) for _ in range(4))
    assert alone.value == shared.value
    assert alone.low is not None
    assert shared.low is not None
    assert shared.low < alone.low


def test_nothing_measured_has_no_value() -> None:
    found = estimate([])
    assert (found.value, found.low, found.high, found.n) == (None, None, None, 0)


def test_probabilities_that_come_true_as_often_as_they_say_have_no_calibration_error() -> None:
    half = [True, False] * 50
    assert calibration_error([0.5] * 100, half) == pytest.approx(0.0)
    assert calibration_error([0.9] * 100, half) == pytest.approx(0.4)


def test_the_calibration_error_weighs_bins_by_their_size() -> None:
    error = calibration_error([1.0] * 3 + [0.2], [True, True, False, False])
    assert error == pytest.approx((3 * (1 - 2 / 3) + 0.2) / 4)


def test_there_is_no_calibration_error_without_a_sample() -> None:
    assert calibration_error([], []) is None


@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.floats(0, 1), st.booleans()), min_size=1, max_size=60
    )
)
def test_the_estimated_calibration_error_is_the_calibration_error(
    samples: list[tuple[str, float, bool]],
) -> None:
    found = estimate_calibration(samples)
    _, probabilities, outcomes = zip(*samples, strict=True)
    assert found.value == pytest.approx(calibration_error(probabilities, outcomes), abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.high <= 1
    assert found.n == len(samples)


def test_the_calibration_errors_interval_resamples_looks() -> None:
    # One look is right throughout, the other wrong: as a whole the error is half of theirs.
    samples = [("right", 1.0, True)] * 50 + [("wrong", 1.0, False)] * 50
    found = estimate_calibration(samples)
    assert (found.low, found.value, found.high) == (0.0, 0.5, 1.0)
    assert estimate_calibration([]).value is None
