"""The public forecast: numbers worked by hand, the running history, nothing known too early."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.households.forecast import (
    HOURS,
    LoadHistory,
    day_regressors,
    empty_history,
    forecast,
    hourly,
    remember,
)
from gridsim.households.households import STEPS_PER_DAY, STEPS_PER_HOUR

COOL_WEEKDAY = np.array([[1.0, 0.0, 0.0]])


def flat(*levels_kw: float) -> np.ndarray:
    """One constant load curve per level."""
    return np.tile(np.array(levels_kw)[:, None], (1, STEPS_PER_DAY))


def like_days(count: int) -> np.ndarray:
    return np.tile(COOL_WEEKDAY, (count, 1))


def random_history(rng: np.random.Generator) -> LoadHistory:
    history = empty_history()
    for _ in range(3):
        curves = rng.uniform(0.0, 3.0, (6, STEPS_PER_DAY))
        weather = day_regressors(rng.normal(5.0, 4.0, curves.shape), rng.integers(0, 2, 6))
        history = remember(history, curves, weather, 0.7)
    return history


def test_regressors_are_a_constant_the_temperature_and_the_weekend() -> None:
    temperature_c = np.concatenate([np.full((2, 48), -10.0), np.full((2, 48), 30.0)], axis=1)
    seen = day_regressors(temperature_c, np.array([0, 1]))
    np.testing.assert_allclose(seen, [[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])


def test_hourly_means_of_a_ramp() -> None:
    np.testing.assert_allclose(hourly(np.arange(96.0)), 1.5 + 4.0 * np.arange(24))


def test_without_history_nothing_is_expected() -> None:
    assert (empty_history().expected_kw(COOL_WEEKDAY) == 0.0).all()


def test_like_days_are_expected_to_repeat_their_mean() -> None:
    history = remember(empty_history(), flat(1.0, 3.0), like_days(2), 0.9)
    np.testing.assert_allclose(history.expected_kw(COOL_WEEKDAY), flat(2.0), atol=1e-6)
    np.testing.assert_allclose(history.covariance, np.ones((HOURS, HOURS)), atol=1e-6)
    assert history.weight == pytest.approx(0.1)


def test_older_days_fade_and_the_start_is_not_biased_towards_zero() -> None:
    history = remember(empty_history(), flat(2.0), like_days(1), 0.5)
    history = remember(history, flat(6.0), like_days(1), 0.5)
    # weights 1/4 and 1/2 of 3/4: (2 + 2 * 6) / 3
    np.testing.assert_allclose(history.expected_kw(COOL_WEEKDAY), flat(14.0 / 3.0), atol=1e-6)
    assert history.weight == pytest.approx(0.75)


def test_a_decay_of_one_keeps_a_history_as_it_is() -> None:
    history = remember(empty_history(), flat(1.0, 3.0), like_days(2), 0.0)
    kept = remember(history, flat(9.0), like_days(1), 1.0)
    np.testing.assert_array_equal(kept.cross, history.cross)
    np.testing.assert_array_equal(kept.covariance, history.covariance)


def test_weekends_are_told_from_weekdays() -> None:
    kind = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]])
    history = remember(empty_history(), flat(1.0, 3.0), kind, 0.0)
    # ridge 0.01 on the weekend: b0 + b1 / 2 = 2 and b0 / 2 + 0.51 b1 = 1.5 give b1 = 0.5 / 0.26
    b1 = 0.5 / 0.26
    expected = history.expected_kw(kind)
    np.testing.assert_allclose(expected, flat(2.0 - b1 / 2, 2.0 + b1 / 2), atol=1e-6)


def test_a_high_first_hour_raises_the_rest_of_a_day_that_tends_to_persist() -> None:
    history = remember(empty_history(), flat(1.0, 3.0), like_days(2), 0.0)
    dawn_kw = history.expected_kw(COOL_WEEKDAY)
    expected = forecast(history, dawn_kw, flat(3.0), 1)
    # one kW above expectation, covariance 1, ridge 0.001
    np.testing.assert_allclose(expected[:, :STEPS_PER_HOUR], 3.0)
    np.testing.assert_allclose(expected[:, STEPS_PER_HOUR:], 2.0 + 1.0 / 1.001, atol=1e-5)


def test_at_noon_the_forecast_is_what_was_expected_at_dawn() -> None:
    history = random_history(np.random.default_rng(0))
    dawn_kw = np.abs(history.expected_kw(COOL_WEEKDAY))
    np.testing.assert_array_equal(forecast(history, dawn_kw, flat(7.0), 0), dawn_kw)


@given(seed=st.integers(0, 2**32 - 1), hour=st.integers(0, HOURS - 1))
def test_the_forecast_knows_the_past_and_only_the_past(seed: int, hour: int) -> None:
    rng = np.random.default_rng(seed)
    history, now = random_history(rng), hour * STEPS_PER_HOUR
    dawn_kw = history.expected_kw(like_days(2))
    today_kw = rng.uniform(0.0, 3.0, (2, STEPS_PER_DAY))
    other_kw = today_kw.copy()
    other_kw[:, now:] = rng.uniform(0.0, 30.0, (2, STEPS_PER_DAY - now))
    before = dawn_kw.copy()
    expected = forecast(history, dawn_kw, today_kw, hour)
    np.testing.assert_array_equal(expected, forecast(history, dawn_kw, other_kw, hour))
    np.testing.assert_array_equal(expected[:, :now], today_kw[:, :now])
    np.testing.assert_array_equal(dawn_kw, before)
    assert (expected >= 0.0).all()


@given(seed=st.integers(0, 2**32 - 1), hour=st.integers(0, HOURS - 1))
def test_the_forecast_of_a_batch_is_the_forecasts_of_its_days(seed: int, hour: int) -> None:
    rng = np.random.default_rng(seed)
    history = random_history(rng)
    dawn_kw = history.expected_kw(like_days(3))
    today_kw = rng.uniform(0.0, 3.0, (3, STEPS_PER_DAY))
    together = forecast(history, dawn_kw, today_kw, hour)
    single = [forecast(history, dawn_kw[[d]], today_kw[[d]], hour)[0] for d in range(3)]
    np.testing.assert_allclose(together, np.stack(single), atol=1e-9)
