"""Plans by public rules: cheapest as a search finds it, energy and windows kept, worked by hand."""

from itertools import product

import numpy as np
import pytest

from gridsim.game.plans import (
    MOST_PLANS,
    NUM_FIXED,
    RULES,
    OpenJobs,
    plans_by_rules,
    step_costs,
)
from gridsim.game.tariff import Tariff, TariffConfig, build_tariff
from gridsim.households.households import (
    STEP_H,
    STEPS_PER_DAY,
    HouseholdConfig,
    JobKind,
    mean_delay_cost,
)
from tests.support.tiny_days import TinyJob, tiny_days

LEVEL_KW, N = 11.0 / 3.0, 10
A_DAY = tiny_days([TinyJob(household=0, arrival=0, end=9, units=1)])
NOTHING = np.zeros((1, STEPS_PER_DAY))


def tariff() -> Tariff:
    return build_tariff(TariffConfig())


def car(now: int, end: int, units: int, planned: np.ndarray | None = None) -> OpenJobs:
    return OpenJobs(
        now=np.array([now]),
        end=np.array([end]),
        duration=np.array([units]),
        cycle_kw=np.zeros((1, 8)),
        units=np.array([units]),
        delay_cost=np.array([0.005]),
        planned_kw=np.zeros((1, STEPS_PER_DAY)) if planned is None else planned[None],
        is_first=np.array([planned is None]),
        own_kw=np.zeros((1, STEPS_PER_DAY)),
        battery_kwh=np.zeros(1),
        stored_kwh=np.zeros(1),
    )


def cycle(now: int, end: int, kw: tuple[float, ...]) -> OpenJobs:
    return car(now, end, 0)._replace(
        duration=np.array([len(kw)]),
        cycle_kw=np.pad(np.array([kw]), [[0, 0], [0, 8 - len(kw)]]),
        delay_cost=np.array([0.03]),
    )


def some_load(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 2.0, (1, STEPS_PER_DAY))


def plans_of(jobs: OpenJobs, load: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    plans, new = plans_by_rules(jobs, load, tariff(), N, A_DAY, MOST_PLANS)
    return plans[0].astype(float), new[0]


def spent_eur(jobs: OpenJobs, plan: np.ndarray, load: np.ndarray, toll: float, delay: float):
    """What a rule minimises, from the definition: own cost, toll times others', delay."""
    t, mean, after = tariff(), load[0], load[0] + plan / N
    bill = STEP_H * ((t.base_price + t.beta * after) * plan).sum()
    charge = [t.gamma * STEP_H * (np.maximum(x - t.kappa, 0) ** 2).sum() for x in (mean, after)]
    others = STEP_H * t.beta * (mean * plan).sum() + (N - 1) * (charge[1] - charge[0])
    waited = np.arange(STEPS_PER_DAY) - jobs.now[0]
    if jobs.units[0]:
        wait = jobs.delay_cost[0] * STEP_H * STEP_H * (waited * plan).sum()
    else:
        wait = jobs.delay_cost[0] * STEP_H * ((plan > 0).argmax() - jobs.now[0])
    return bill + charge[1] - charge[0] + toll * others + delay * wait


@pytest.mark.parametrize("seed", range(4))
def test_every_rule_finds_the_cheapest_car_plan(seed: int) -> None:
    load, jobs = some_load(seed), car(20, 25, 6)
    plans, _ = plans_of(jobs, load)
    every = [levels for levels in product(range(4), repeat=5) if sum(levels) == 6]
    for action, (toll, delay) in enumerate(RULES, NUM_FIXED):
        costs = []
        for levels in every:
            plan = np.zeros(STEPS_PER_DAY)
            plan[20:25] = LEVEL_KW * np.array(levels)
            costs.append(spent_eur(jobs, plan, load, toll, delay))
        found = spent_eur(jobs, plans[action], load, toll, delay)
        assert found == pytest.approx(min(costs), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_every_rule_finds_the_cheapest_start(seed: int) -> None:
    load, kw = some_load(seed), (2.0, 0.5, 1.0)
    jobs = cycle(30, 50, kw)
    plans, _ = plans_of(jobs, load)
    for action, (toll, delay) in enumerate(RULES, NUM_FIXED):
        costs = []
        for start in range(30, 48):
            plan = np.zeros(STEPS_PER_DAY)
            plan[start : start + 3] = kw
            costs.append(spent_eur(jobs, plan, load, toll, delay))
        found = spent_eur(jobs, plans[action], load, toll, delay)
        assert found == pytest.approx(min(costs), abs=1e-6)


def test_a_car_charges_at_once_evenly_or_where_it_is_cheap() -> None:
    plans, new = plans_of(car(20, 32, 12), some_load(0))
    np.testing.assert_allclose(plans[0, 20:24], 3 * LEVEL_KW, rtol=1e-6)
    np.testing.assert_allclose(plans[1, 20:32], LEVEL_KW, rtol=1e-6)
    np.testing.assert_allclose(plans.sum(axis=1), 12 * LEVEL_KW, rtol=1e-6)
    assert (plans[:, :20] == 0).all()
    assert (plans[:, 32:] == 0).all()
    assert new[0]


def test_a_revision_may_keep_the_plan() -> None:
    planned = np.zeros(STEPS_PER_DAY)
    planned[40:44] = LEVEL_KW
    plans, _ = plans_of(car(24, 60, 4, planned), some_load(1))
    np.testing.assert_allclose(plans[1], planned, rtol=1e-6)


def test_plans_that_are_the_same_count_once() -> None:
    plans, new = plans_of(cycle(90, 93, (1.0, 1.0, 1.0)), some_load(2))  # no room to move
    assert (plans == plans[0]).all()
    assert new.tolist() == [True] + [False] * (MOST_PLANS - 1)


def test_the_next_level_in_a_step_never_costs_less() -> None:
    levels = LEVEL_KW * np.arange(4)
    for toll in (0.0, 0.2, 1.0, 2.0):
        rise = np.diff(
            step_costs(some_load(3), levels, toll, tariff(), N, NOTHING),
            axis=-1,
        )
        assert (np.diff(rise, axis=-1) >= -1e-12).all()


def test_delay_counts_as_for_the_mean_household() -> None:
    config = HouseholdConfig(ev_delay_cost_eur_per_kwh_h=0.01, heat_pump_delay_cost_eur_per_h=0.05)
    cost = mean_delay_cost(config)
    assert cost[JobKind.EV] == 0.01
    assert cost[JobKind.HEAT_PUMP] == 0.05
    assert cost[JobKind.DISHWASHER] == config.wet_delay_cost_eur_per_h
