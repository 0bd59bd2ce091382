"""The public outlook: what is regressed on what, history, nothing known too early."""

from dataclasses import replace

import numpy as np
import pytest

from gridsim.households.households import STEPS_PER_DAY, STEPS_PER_HOUR, Days
from gridsim.households.outlook import (
    NUM_REGRESSORS,
    Outlook,
    expected_kw,
    regressors,
    share_of_cars,
    to_come_kw,
)
from tests.gridsim.game.in_turn_world import N, some_days


def at_once(days: Days) -> np.ndarray:
    job_kw = np.zeros((days.jobs.num_jobs, STEPS_PER_DAY))
    job_kw[np.arange(days.jobs.num_jobs), days.jobs.arrival_step] = 1.0
    return job_kw


def test_without_history_nothing_is_expected_beyond_what_was_measured() -> None:
    days = some_days(2, 0)
    base = days.base_kw.mean(axis=1)
    day, now = np.array([0, 1]), np.array([0, 10])
    load = expected_kw(Outlook.empty().coefficients(), regressors(days), base, day, now)
    np.testing.assert_array_equal(load[0], 0.0)
    np.testing.assert_allclose(load[1, :8], base[1, :8])
    np.testing.assert_array_equal(load[1, 8:], 0.0)


def test_only_full_hours_of_base_load_are_known() -> None:
    days = some_days(3, 1)
    now = 3 * STEPS_PER_HOUR + 2
    later = days.base_kw.copy()
    later[:, :, 3 * STEPS_PER_HOUR :] += 1.0
    known, other = regressors(days), regressors(replace(days, base_kw=later))
    np.testing.assert_array_equal(known[:, now], other[:, now])
    assert (known[:, now + 2] != other[:, now + 2]).any()
    assert known.shape == (3, STEPS_PER_DAY, NUM_REGRESSORS)


def test_cars_that_came_are_counted_with_the_step_they_come_in() -> None:
    days = some_days(1, 2)
    cars = np.sort(days.jobs.arrival_step[days.jobs.units > 0])
    share = share_of_cars(days)[0]
    assert share[cars[0] - 1] == 0.0
    assert share[cars[0]] == pytest.approx(1 / N)
    assert share[-1] == pytest.approx(len(cars) / N)


def test_what_is_to_come_leaves_out_who_has_come() -> None:
    days = some_days(1, 2)
    job_kw, base = at_once(days), days.base_kw.mean(axis=1)[0]
    to_come = to_come_kw(days, job_kw)[0]
    for now in (0, 25, 60):
        later = job_kw[days.jobs.arrival_step > now].sum(axis=0) / N
        np.testing.assert_allclose(to_come[now], base + later, atol=1e-12)


def test_history_is_an_exponential_mean_without_start_up_bias() -> None:
    first, second = some_days(4, 3), some_days(4, 4)
    once = Outlook.empty().after(first, at_once(first), 0.9)
    known = regressors(first)
    gram = np.einsum("dtr,dts->trs", known, known) / 4
    np.testing.assert_allclose(once.gram, gram, atol=1e-12)
    twice = once.after(second, at_once(second), 0.9)
    assert twice.weight == pytest.approx(0.19)
    kept = once.gram + (0.1 / 0.19) * (
        np.einsum("dtr,dts->trs", *[regressors(second)] * 2) / 4 - gram
    )
    np.testing.assert_allclose(twice.gram, kept, atol=1e-12)


def test_days_like_those_seen_are_foreseen() -> None:
    days = some_days(64, 5)
    job_kw = at_once(days)
    outlook = Outlook.empty().after(days, job_kw, 0.0)
    fresh = some_days(16, 6)
    truth = to_come_kw(fresh, at_once(fresh))
    day, now = np.arange(16), np.full(16, 40)
    base = fresh.base_kw.mean(axis=1)
    load = expected_kw(outlook.coefficients(), regressors(fresh), base, day, now)
    error = np.abs(load - truth[day, now])[:, 40:].mean()
    mean = np.abs(truth[day, now][:, 40:] - truth[:, 40, 40:].mean()).mean()
    assert error < mean


def test_tensors_give_the_same_outlook_back() -> None:
    days = some_days(4, 7)
    outlook = Outlook.empty().after(days, at_once(days), 0.9)
    again = Outlook.of_tensors(outlook.tensors())
    np.testing.assert_array_equal(outlook.cross, again.cross)
    np.testing.assert_array_equal(outlook.gram, again.gram)
    assert again.weight == outlook.weight
