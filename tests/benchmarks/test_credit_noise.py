"""Signal and noise of credit, by hand."""

import numpy as np
import pytest

from benchmarks.credit_noise import shares_of, signal_and_noise


def test_a_worth_that_is_the_same_every_day_has_no_noise() -> None:
    values = np.tile(np.array([[3.0, 5.0, 99.0]]), (4, 1, 1))
    legal = np.array([[True, True, False]])
    assert signal_and_noise(values, legal) == pytest.approx((1.0, 0.0))


def test_what_comes_and_goes_is_noise() -> None:
    values = np.array([[[1.0, -1.0]], [[-1.0, 1.0]]])
    legal = np.ones((1, 2), dtype=bool)
    assert signal_and_noise(values, legal) == pytest.approx((0.0, np.sqrt(2.0)))


def test_those_drawn_stand_for_all() -> None:
    pairs = ~np.eye(5, dtype=bool)
    weights = shares_of(pairs, 2, np.random.default_rng(0))
    assert weights.sum(axis=1).tolist() == [4.0] * 5
    assert set(weights.ravel().tolist()) == {0.0, 2.0}
