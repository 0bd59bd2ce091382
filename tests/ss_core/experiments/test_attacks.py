"""Attacks on secrets: scores by hand; what is told is found, what is not is not."""

import numpy as np
import pytest

from ss_core.experiments.attacks import (
    ATTACKS,
    area_under_roc,
    linear_attack,
    network_attack,
    prepare,
    r_squared,
    score,
)


def test_scores_worked_by_hand() -> None:
    truth = np.array([0.0, 0.0, 1.0, 1.0])
    assert area_under_roc(truth, np.array([1.0, 2.0, 3.0, 4.0])) == 1.0
    assert area_under_roc(truth, np.array([1.0, 3.0, 2.0, 4.0])) == 0.75
    assert area_under_roc(truth, np.zeros(4)) == 0.5
    assert area_under_roc(np.ones(4), np.arange(4.0)) == 0.5  # nothing to tell apart
    assert r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == 1.0
    assert r_squared(np.array([1.0, 2.0, 3.0]), np.full(3, 2.0)) == 0.0
    assert r_squared(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == -3.0


def households(count: int, seed: int, told: float) -> tuple[np.ndarray, np.ndarray]:
    """Forty numbers heard, two of which go with the secret as far as it is `told`."""
    rng = np.random.default_rng(seed)
    secret = rng.normal(size=count)
    heard = rng.normal(size=(count, 40))
    heard[:, :2] += told * secret[:, None] * np.array([3.0, -5.0])
    return heard, secret


@pytest.mark.parametrize("name", ATTACKS)
def test_what_is_told_is_found_and_what_is_not_is_not(name: str) -> None:
    for told, least, most in ((1.0, 0.8, 1.0), (0.0, -0.2, 0.1)):
        shadow, known = households(300, 0, told)
        victims, truth = households(200, 1, told)
        data = prepare(shadow, victims)
        found = r_squared(truth, ATTACKS[name](data.shadow, known, data.victims))
        assert least <= found <= most, (name, told, found)


def test_the_network_finds_what_no_line_does() -> None:
    rng = np.random.default_rng(2)
    heard = rng.normal(size=(600, 2))
    secret = heard[:, 0] * heard[:, 1]
    shadow, victims = heard[:400], heard[400:]
    straight = r_squared(secret[400:], linear_attack(shadow, secret[:400], victims))
    bent = r_squared(secret[400:], network_attack(shadow, secret[:400], victims))
    assert straight < 0.1
    assert bent > 0.5


def test_nothing_heard_is_no_better_than_the_mean() -> None:
    data = prepare(np.ones((20, 3)), np.ones((10, 3)))
    known, truth = np.arange(20.0), np.arange(10.0) - 4.5
    guessed = linear_attack(data.shadow, known - known.mean(), data.victims)
    assert r_squared(truth, guessed) == pytest.approx(0.0, abs=1e-9)


def test_a_score_has_an_interval_around_it() -> None:
    truth = np.arange(50.0)
    interval = score(truth, truth + np.random.default_rng(0).normal(0, 5, 50), yes_or_no=False)
    assert interval.low <= interval.estimate <= interval.high
    assert interval.low > 0.7
