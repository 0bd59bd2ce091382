"""Adoption after trial days: worked by hand, its error rates, what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray

from ss_core.scenario.adoption import LEVEL, LOOKS_AT, MOST_PAIRS, Adoption, adoption

RUNS = 500  # simulated, each with a look after 8, 16 and 32 pairs


def costs(*values: float) -> ndarray:
    return np.array(values, dtype=float)


def decided(gains: ndarray) -> Adoption:
    """As a world asks: look after look, until one decides."""
    first, *later = LOOKS_AT
    found = adoption(gains[:first] + 100.0, np.full(first, 100.0))
    for pairs in later:
        if found.decision == "undecided":
            found = adoption(gains[:pairs] + 100.0, np.full(pairs, 100.0))
    return found


def adopted_share(mean_gain: float, *, seed: int) -> float:
    """How often a mean gain, in standard deviations of a pair, is adopted."""
    rng = np.random.default_rng(seed)
    found = [decided(rng.normal(mean_gain, 1.0, MOST_PAIRS)) for _ in range(RUNS)]
    return sum(each.is_recommended for each in found) / RUNS


# by hand


def test_four_pairs_by_hand() -> None:
    found = adoption(costs(10, 12, 14, 16), costs(8, 11, 11, 14), unit="s", looks=1)
    # gains 2, 1, 3, 2: mean 2, variance 2/3, error √(2/3 / 4); Student's t(0.95; 3) = 2.3534
    assert found.decision == "adopt"
    assert found.is_recommended
    assert found.gain.estimate == 2.0
    assert found.gain.low == pytest.approx(2 - 2.3534 * (1 / 6) ** 0.5, abs=1e-4)
    assert found.gain.high == pytest.approx(2 + 2.3534 * (1 / 6) ** 0.5, abs=1e-4)
    assert (found.pairs, found.confidence) == (4, 0.95)
    assert found.verdict == (
        "Coordination is recommended: on 4 trial days it saved 2 s a day on average, and with 95 % "
        "confidence it saves more than 1.04 s."
    )


def test_two_pairs_that_differ_decide_nothing() -> None:
    found = adoption(costs(5, 7), costs(4, 4), unit="EUR", looks=1)
    # gains 1, 3: mean 2, error 1; t(0.95; 1) = 6.3138
    assert found.decision == "undecided"
    assert not found.is_recommended
    assert (found.gain.low, found.gain.high) == pytest.approx((-4.3138, 8.3138), abs=1e-4)
    assert found.verdict == (
        "Coordination is not recommended on this evidence: on 2 trial days its mean gain was 2 "
        "EUR, and chance leaves it anywhere between -4.31 EUR and 8.31 EUR."
    )


def test_looks_share_the_level() -> None:
    one, five = (adoption(costs(10, 12, 14, 16), costs(8, 11, 11, 14), looks=n) for n in (1, 5))
    # t(0.99; 3) = 4.5407
    assert five.gain.low == pytest.approx(2 - 4.5407 * (1 / 6) ** 0.5, abs=1e-4)
    assert (one.confidence, five.confidence) == (0.95, 0.99)


def test_what_costs_more_is_rejected() -> None:
    found = adoption(costs(8, 11, 11, 14), costs(10, 12, 14, 16), unit="s")
    assert found.decision == "reject"
    assert found.verdict == (
        "Coordination is not recommended: on 4 trial days it cost 2 s a day more on average, and "
        "with 98.3 % confidence it does not save anything."
    )


def test_days_without_noise_need_two_pairs() -> None:
    found = adoption(costs(10, 20), costs(9, 19))
    assert (found.decision, found.gain.low, found.gain.high) == ("adopt", 1.0, 1.0)
    same = adoption(costs(10, 20), costs(10, 20))
    assert same.decision == "reject"
    assert same.verdict == "Coordination is not recommended: on 2 trial days it changed nothing."


def test_what_days_have_in_common_cancels() -> None:
    weather = np.random.default_rng(0).normal(0.0, 500.0, 16)
    gains = np.tile([1.0, 2.0], 8)
    with_weather = adoption(weather + gains, weather)
    assert with_weather.decision == "adopt"
    assert with_weather.gain.low == pytest.approx(adoption(gains, 0.0 * gains).gain.low)


# invariants


gains = st.lists(st.floats(-50.0, 50.0).map(lambda x: round(x, 3)), min_size=2, max_size=MOST_PAIRS)


@given(gains, st.integers(1, 6))
def test_a_change_of_sides_turns_the_bounds_round(values: list[float], looks: int) -> None:
    with_gain, none = np.array(values), np.zeros(len(values))
    one, other = adoption(with_gain, none, looks=looks), adoption(none, with_gain, looks=looks)
    assert one.gain.low == -other.gain.high
    assert one.gain.low <= one.gain.estimate <= one.gain.high
    assert not (one.is_recommended and other.is_recommended)
    if one.decision == "adopt":
        assert other.decision == "reject"


@given(gains, st.integers(1, 6))
def test_more_looks_never_decide_what_fewer_leave_open(values: list[float], looks: int) -> None:
    one, none = np.array(values), np.zeros(len(values))
    few, many = adoption(one, none, looks=looks), adoption(one, none, looks=looks + 1)
    assert many.decision in {few.decision, "undecided"}


# error rates


def test_no_gain_is_adopted_at_most_as_often_as_the_level_says() -> None:
    share = adopted_share(0.0, seed=1)
    assert 0.02 < share <= LEVEL  # 0.040 in 100,000 runs


def test_a_loss_is_adopted_next_to_never() -> None:
    assert adopted_share(-0.5, seed=2) <= 0.002


def test_a_clear_gain_is_adopted() -> None:
    assert adopted_share(1.0, seed=3) >= 0.995
    assert adopted_share(0.5, seed=4) == pytest.approx(0.76, abs=0.04)  # 0.758 in 100,000 runs


# refusals


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (costs(1, 2, 3), costs(1, 2), "3 days without and 2 with"),
        (costs(1), costs(0), "1 pairs of trial days: between 2 and 32"),
        (np.ones(33), np.zeros(33), "33 pairs of trial days"),
        (costs(1, float("nan")), costs(0, 0), "finite"),
        (costs(1, 2), costs(0, float("inf")), "finite"),
    ],
    ids=["unequal", "one pair", "too many", "NaN", "infinite"],
)
def test_what_is_no_trial_is_refused(first: ndarray, second: ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        adoption(first, second)


@pytest.mark.parametrize("wrong", [{"looks": 0}, {"level": 0.0}, {"level": 0.5}], ids=str)
def test_looks_and_levels_that_define_no_test_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least one look"):
        adoption(costs(1, 2), costs(0, 0), **wrong)  # type: ignore[arg-type]


def test_large_amounts_are_written_out() -> None:
    found = adoption(np.full(8, 5000.0) + np.arange(8), np.full(8, 2000.0), unit="s", looks=1)
    assert "it saved 3,004 s a day" in found.verdict
