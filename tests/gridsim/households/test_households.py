"""Populations, days and candidate schedules: seeded, feasible, energy conserved."""

import hashlib
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.households.days import draw_days
from gridsim.households.households import (
    MAX_CYCLE_STEPS,
    STEP_H,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    Days,
    HouseholdConfig,
    JobKind,
    Jobs,
    Population,
    draw_population,
)
from gridsim.households.profiles import Profiles, load_profiles
from gridsim.households.schedules import candidate_schedules, lowest_level
from ss_core.errors import ConfigError

SEASONS = ("winter", "spring", "summer", "autumn")


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    return load_profiles()


def population_and_days(
    profiles: Profiles, seed: int, season: str = "winter"
) -> tuple[Population, Days]:
    config, rng = HouseholdConfig(season=season), np.random.default_rng(seed)
    population = draw_population(config, profiles, 20, rng)
    return population, draw_days(config, profiles, population, 3, rng)


def fingerprint(population: Population) -> str:
    digest = hashlib.sha256()
    for field in fields(population):
        digest.update(np.ascontiguousarray(getattr(population, field.name)).tobytes())
    return digest.hexdigest()


def jobs_of(*, units: int, arrival: int, end: int) -> Days:
    """One household, one day, one EV job."""
    one = np.array([0])
    return Days(
        base_kw=np.zeros((1, 1, STEPS_PER_DAY)),
        jobs=Jobs(
            day=one,
            household=one,
            kind=np.array([int(JobKind.EV)]),
            arrival_step=np.array([arrival]),
            end_step=np.array([end]),
            duration_steps=np.array([units]),
            cycle_kw=np.zeros((1, MAX_CYCLE_STEPS)),
            units=np.array([units]),
            delay_cost=np.array([0.005]),
            battery_kwh=np.zeros(1),
        ),
        calendar_day=one,
        is_weekend=one,
        temperature_c=np.zeros((1, STEPS_PER_DAY)),
        ev_level_kw=4.0,
        battery=HouseholdConfig().battery,
    )


def test_the_same_seed_draws_the_same_population_and_another_seed_another(profiles) -> None:
    same = {fingerprint(population_and_days(profiles, 5)[0]) for _ in range(2)}
    assert len(same) == 1
    assert fingerprint(population_and_days(profiles, 6)[0]) not in same


def test_the_same_seed_draws_the_same_days(profiles) -> None:
    (_, one), (_, two) = (population_and_days(profiles, 5) for _ in range(2))
    np.testing.assert_array_equal(one.base_kw, two.base_kw)
    for field in fields(Jobs):
        np.testing.assert_array_equal(getattr(one.jobs, field.name), getattr(two.jobs, field.name))


@pytest.mark.parametrize("season", SEASONS)
@pytest.mark.parametrize("seed", range(4))
def test_every_job_fits_its_window_and_the_day(profiles, season: str, seed: int) -> None:
    jobs = population_and_days(profiles, seed, season)[1].jobs
    shortest = np.where(jobs.units > 0, -(-jobs.units // 3), jobs.duration_steps)
    assert (jobs.arrival_step >= 0).all()
    assert (jobs.end_step <= STEPS_PER_DAY).all()
    assert (jobs.arrival_step + shortest <= jobs.end_step).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_household_meets_at_most_one_new_job_an_hour(profiles, seed: int) -> None:
    jobs = population_and_days(profiles, seed)[1].jobs
    keys = np.stack([jobs.day, jobs.household, jobs.arrival_step // STEPS_PER_HOUR], axis=1)
    assert len(np.unique(keys, axis=0)) == len(keys)


def test_jobs_are_sorted_by_day_and_household(profiles) -> None:
    jobs = population_and_days(profiles, 0)[1].jobs
    assert (np.diff(jobs.day * 1000 + jobs.household) >= 0).all()


def test_base_load_is_finite_and_never_generates(profiles) -> None:
    base_kw = population_and_days(profiles, 0)[1].base_kw
    assert np.isfinite(base_kw).all()
    assert (base_kw >= 0).all()


def test_no_households_is_refused_with_the_number(profiles) -> None:
    with pytest.raises(ConfigError, match="households=0"):
        draw_population(HouseholdConfig(), profiles, 0, np.random.default_rng(0))


@pytest.mark.parametrize("num_actions", [4, 8, 16])
def test_every_plan_delivers_the_energy_within_the_window(profiles, num_actions: int) -> None:
    days = population_and_days(profiles, 1)[1]
    jobs, plans = days.jobs, candidate_schedules(days, num_actions)
    steps = np.arange(STEPS_PER_DAY)
    inside = (steps >= jobs.arrival_step[:, None]) & (steps < jobs.end_step[:, None])
    outside_kw = np.where(inside[:, None], 0.0, plans.load_kw)
    needed_kwh = (jobs.cycle_kw.sum(axis=1) + jobs.units * days.ev_level_kw) * STEP_H
    energy_kwh = plans.load_kw.sum(axis=2) * STEP_H

    assert np.abs(outside_kw).max() == 0.0
    np.testing.assert_allclose(
        energy_kwh[plans.legal],
        np.broadcast_to(needed_kwh[:, None], energy_kwh.shape)[plans.legal],
    )


def test_action_0_starts_at_once_and_costs_cycles_no_delay(profiles) -> None:
    days = population_and_days(profiles, 1)[1]
    plans = candidate_schedules(days, 8)
    assert plans.legal[:, 0].all()
    np.testing.assert_array_equal(plans.start_step[:, 0], days.jobs.arrival_step)
    np.testing.assert_array_equal(plans.delay_eur[days.jobs.units == 0, 0], 0.0)


def test_legal_plans_of_a_cycle_are_distinct(profiles) -> None:
    days = population_and_days(profiles, 1)[1]
    plans = candidate_schedules(days, 8)
    for j in np.flatnonzero(days.jobs.units == 0):
        starts = plans.start_step[j, plans.legal[j]]
        assert len(np.unique(starts)) == len(starts)


def test_an_ev_may_charge_at_once_evenly_or_in_one_block() -> None:
    days = jobs_of(units=6, arrival=10, end=22)  # 12 steps for 6 level-steps: level 1 suffices
    plans = candidate_schedules(days, 4)
    levels = plans.load_kw[0, :, 10:22] / 4.0
    np.testing.assert_array_equal(levels[0], [3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(levels[1], [0, 1] * 6)
    np.testing.assert_array_equal(levels[2], [1] * 6 + [0] * 6)
    np.testing.assert_array_equal(levels[3], [0] * 6 + [1] * 6)
    # 0.005 EUR/kWh/h: 3 kWh wait 0 h and 3 kWh wait 0.25 h
    assert plans.delay_eur[0, 0] == pytest.approx(0.005 * 3.0 * 0.25)


@given(units=st.integers(1, 60), window=st.integers(8, 40))
def test_the_lowest_level_is_the_first_that_delivers_in_time(units: int, window: int) -> None:
    units = min(units, 2 * window)
    level = int(lowest_level(jobs_of(units=units, arrival=10, end=10 + window).jobs)[0])
    assert level * window >= units
    assert level == 1 or (level - 1) * window < units
