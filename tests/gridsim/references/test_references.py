"""References of the scheduling game: exact best responses, order of costs, certificates."""

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.game.costs import potential
from gridsim.game.joint_schedules import Schedule, chosen_schedule
from gridsim.game.tariff import Tariff, TariffConfig, build_tariff
from gridsim.households.days import draw_days
from gridsim.households.households import (
    MAX_CYCLE_STEPS,
    STEPS_PER_DAY,
    Days,
    HouseholdConfig,
    draw_population,
)
from gridsim.households.profiles import Profiles, load_profiles
from gridsim.households.schedules import candidate_schedules
from gridsim.references.certificate import certify_dilemma
from gridsim.references.day_game import as_mix, day_jobs, own_cost, plan_of, rounded, social_cost
from gridsim.references.kernels import (
    DayJobs,
    Objective,
    Plan,
    best_levels,
    best_start,
    job_cost,
    shift_job,
)
from gridsim.references.references import (
    References,
    SearchConfig,
    asap,
    compute_references,
    load_to_come,
    optimum,
    random_schedule,
    restricted_optimum,
    rolling_planner,
    selfish_rolling,
)
from gridsim.references.searches import start_plan

SEARCH = SearchConfig(num_perturbations=20, num_random_starts=2)
TARIFF = build_tariff(TariffConfig())
HOUSEHOLDS = 20


def drawn(profiles: Profiles, seed: int, num_days: int, households: int = HOUSEHOLDS) -> Days:
    rng = np.random.default_rng(seed)
    population = draw_population(HouseholdConfig(), profiles, households, rng)
    return draw_days(HouseholdConfig(), profiles, population, num_days, rng)


@pytest.fixture(scope="module")
def profiles() -> Profiles:
    return load_profiles()


@pytest.fixture(scope="module")
def days(profiles) -> Days:
    return drawn(profiles, 3, 3)


@pytest.fixture(scope="module")
def references(days, profiles) -> References:
    past = drawn(profiles, 4, 4)
    expected = load_to_come(optimum(past, TARIFF, SEARCH)[0], past)
    return compute_references(days, TARIFF, to_come_kw=expected, config=SEARCH)


def with_jobs(days: Days, kept: np.ndarray) -> Days:
    """The same days with some of their jobs."""
    columns = {field.name: getattr(days.jobs, field.name)[kept] for field in fields(days.jobs)}
    return replace(days, jobs=replace(days.jobs, **columns))


def total_cost(schedule: Schedule, tariff: Tariff = TARIFF) -> float:
    return float(schedule.costs(tariff).social_cost_eur.sum())


def lone_job(rng: np.random.Generator, *, units: int, window: int) -> tuple[DayJobs, Objective]:
    """One job beside random loads of three households, under a random convex objective."""
    day = DayJobs(
        household=np.array([1]),
        arrival=np.array([20]),
        end=np.array([20 + window]),
        duration=np.array([3]),
        cycle_kw=rng.uniform(0.1, 3.0, (1, MAX_CYCLE_STEPS)),
        units=np.array([units]),
        delay_cost=np.array([rng.uniform(0.0, 0.05)]),
        base_kw=rng.uniform(0.0, 4.0, (3, STEPS_PER_DAY)),
        level_kw=3.0,
        battery_kwh=np.zeros(1),
        one_way=0.95,
        kw_per_kwh=0.5,
        worth=0.07,
        waiting=0.005,
        plan_kw=np.zeros((0, 0, STEPS_PER_DAY)),
        plan_eur=np.zeros((0, 0)),
    )
    knobs = rng.uniform(0.0, [0.05, 0.05, 1.0, 1.0, 2.0])
    price = rng.uniform(0.1, 0.4, STEPS_PER_DAY)
    total, own, charge, toll, kappa = knobs.tolist()
    lost = rng.uniform(0.0, 0.1, STEPS_PER_DAY)
    return day, Objective(price, total, own, charge, toll, kappa, 3, 1.0, lost)


def cost_of(day: DayJobs, goal: Objective, job_kw: np.ndarray, delay_eur: float) -> float:
    plan = plan_of(day, job_kw[None], np.array([delay_eur]))
    shift_job(day, plan, 0, -1.0)
    return float(job_cost(day, goal, plan, 0))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), units=st.integers(1, 9))
def test_greedy_charging_is_as_good_as_trying_every_level_pattern(seed: int, units: int) -> None:
    day, goal = lone_job(np.random.default_rng(seed), units=units, window=4)
    patterns = np.array([p for p in product(range(4), repeat=4) if sum(p) == units])
    per_kwh_step = float(day.delay_cost[0]) * 0.25
    exhaustive = np.inf
    for pattern in patterns:
        job_kw = np.zeros(STEPS_PER_DAY)
        job_kw[20:24] = pattern * 3.0
        delay = per_kwh_step * float(job_kw[20:24] @ np.arange(4)) * 0.25
        exhaustive = min(exhaustive, cost_of(day, goal, job_kw, delay))
    levels = np.zeros(STEPS_PER_DAY, np.int64)
    plan = plan_of(day, np.zeros((1, STEPS_PER_DAY)), np.zeros(1))
    assert best_levels(day, goal, plan, 0, levels) == pytest.approx(exhaustive, abs=1e-9)
    assert levels.sum() == units


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_best_start_is_as_good_as_trying_every_start(seed: int) -> None:
    day, goal = lone_job(np.random.default_rng(seed), units=0, window=9)
    exhaustive = []
    for start in range(20, 27):
        job_kw = np.zeros(STEPS_PER_DAY)
        job_kw[start : start + 3] = day.cycle_kw[0, :3]
        exhaustive.append(cost_of(day, goal, job_kw, day.delay_cost[0] * 0.25 * (start - 20)))
    plan = plan_of(day, np.zeros((1, STEPS_PER_DAY)), np.zeros(1))
    start, cost = best_start(day, goal, plan, 0)
    assert start == 20 + int(np.argmin(exhaustive))
    assert cost == pytest.approx(min(exhaustive), abs=1e-9)


def added_up(day: DayJobs, goal: Objective, plan: Plan) -> float:
    """Cost of all jobs, taken out one by one."""
    cost = 0.0
    for j in range(len(day.household)):
        shift_job(day, plan, j, -1.0)
        cost += job_cost(day, goal, plan, j)
    return cost


def test_kernels_add_up_to_the_potential_and_the_social_cost_of_the_game(days) -> None:
    schedule = random_schedule(days, np.random.default_rng(0))
    empty = replace(
        schedule, load_kw=days.base_kw, discomfort_eur=np.zeros_like(schedule.discomfort_eur)
    )
    day, rows = day_jobs(days, 0), days.jobs.day == 0
    plan = (schedule.job_kw[rows], schedule.delay_eur[rows])
    phi = [potential(s.load_kw, s.discomfort_eur, TARIFF)[0] for s in (schedule, empty)]
    social = [s.costs(TARIFF).social_cost_eur[0] for s in (schedule, empty)]

    goal = own_cost(TARIFF, HOUSEHOLDS)
    assert added_up(day, goal, plan_of(day, *plan)) == pytest.approx(phi[0] - phi[1], abs=1e-9)
    goal = social_cost(TARIFF, HOUSEHOLDS)
    assert added_up(day, goal, plan_of(day, *plan)) == pytest.approx(
        social[0] - social[1], abs=1e-9
    )


def test_every_reference_delivers_the_energy_of_every_job_in_its_window(days, references) -> None:
    jobs, steps = days.jobs, np.arange(STEPS_PER_DAY)
    needed_kw_steps = jobs.cycle_kw.sum(axis=1) + jobs.units * days.ev_level_kw
    outside = (steps < jobs.arrival_step[:, None]) | (steps >= jobs.end_step[:, None])
    for schedule in references.schedules:
        np.testing.assert_allclose(schedule.job_kw.sum(axis=1), needed_kw_steps)
        assert np.abs(schedule.job_kw[outside]).max() == 0.0, schedule.name
        assert schedule.delay_eur.min() >= -1e-12, schedule.name


def test_bound_optimum_planners_and_equilibrium_are_in_order(references) -> None:
    best = references.optimum.costs(TARIFF).social_cost_eur
    assert (references.lower_bound_eur <= best).all()
    assert best.sum() / references.lower_bound_eur.sum() < 1.015
    for schedule in references.schedules:
        assert total_cost(schedule) >= total_cost(references.optimum), schedule.name
    assert total_cost(references.rolling_planner) < total_cost(references.nash)
    assert total_cost(references.nash) < total_cost(references.asap)
    assert total_cost(references.asap) < total_cost(references.herd)


def test_a_forecast_helps_the_planner(references) -> None:
    assert references.rolling_planner_forecast is not None
    assert total_cost(references.rolling_planner_forecast) < total_cost(references.rolling_planner)


def test_no_household_gains_noticeably_by_leaving_the_equilibrium(references) -> None:
    mean_cost_eur = references.nash.costs(TARIFF).cost_eur.mean()
    assert (references.epsilon_eur >= 0).all()
    assert references.epsilon_eur.max() < 0.005 * mean_cost_eur
    assert (references.epsilon_eur <= references.epsilon_bound_eur + 1e-12).all()


def test_no_single_job_gains_by_leaving_the_equilibrium(days, references) -> None:
    goal = own_cost(TARIFF, HOUSEHOLDS)
    day, rows = day_jobs(days, 0), days.jobs.day == 0
    plan = plan_of(day, references.nash.job_kw[rows], references.nash.delay_eur[rows])
    levels = np.zeros(STEPS_PER_DAY, np.int64)
    for j in range(len(day.household)):
        shift_job(day, plan, j, -1.0)
        present = job_cost(day, goal, plan, j)
        if day.units[j] > 0:
            best = best_levels(day, goal, plan, j, levels)
        else:
            best = best_start(day, goal, plan, j)[1]
        assert best >= present - 1e-8
        shift_job(day, plan, j, 1.0)


def test_equilibria_from_different_starts_cost_nearly_the_same(references) -> None:
    per_start = references.nash_cost_eur.sum(axis=1)
    assert np.ptp(per_start) / per_start.mean() < 0.01


def test_marginal_cost_prices_lead_selfish_households_to_the_optimum(profiles) -> None:
    many = drawn(profiles, 3, 2, households=50)
    found = compute_references(many, TARIFF, config=SEARCH)
    assert total_cost(found.pigou) / total_cost(found.optimum) < 1.01


def test_without_feeder_charge_there_is_no_dilemma(days) -> None:
    tariff = build_tariff(TariffConfig(gamma=0.0))
    found = compute_references(days, tariff, config=SEARCH)
    assert total_cost(found.nash, tariff) / total_cost(found.optimum, tariff) < 1.015
    assert certify_dilemma(days, tariff, found, config=SEARCH).no_dilemma


def test_the_default_scenario_is_certified_a_social_dilemma(days, references) -> None:
    certificate = certify_dilemma(days, TARIFF, references, config=SEARCH)
    assert not certificate.no_dilemma
    assert certificate.gap == pytest.approx(
        total_cost(references.nash) / total_cost(references.optimum) - 1.0
    )
    assert certificate.premise_share > 0.98
    assert certificate.premise_mean_gain_ct > 0.0
    assert certificate.better_off_share > 0.9
    assert certificate.tempted_share > 0.7
    assert 0.0 < certificate.temptation_mean_ct < certificate.temptation_max_ct
    assert 0.0 <= certificate.optimum_uncertainty < 0.015


def test_references_repeat_to_the_last_bit(days) -> None:
    one, two = (optimum(days, TARIFF, SEARCH)[0] for _ in range(2))
    np.testing.assert_array_equal(one.job_kw, two.job_kw)


def test_a_day_alone_has_the_references_it_has_in_a_batch(days, references) -> None:
    last = days.num_days - 1
    kept = with_jobs(days, days.jobs.day == last)
    alone = replace(
        kept,
        base_kw=days.base_kw[last:],
        jobs=replace(kept.jobs, day=np.zeros(kept.jobs.num_jobs, int)),
        calendar_day=days.calendar_day[last:],
        is_weekend=days.is_weekend[last:],
        temperature_c=days.temperature_c[last:],
    )
    found = compute_references(alone, TARIFF, config=SEARCH)
    np.testing.assert_array_equal(found.nash_cost_eur, references.nash_cost_eur[:, last:])
    np.testing.assert_array_equal(found.epsilon_eur, references.epsilon_eur[last:])
    np.testing.assert_array_equal(found.lower_bound_eur, references.lower_bound_eur[last:])
    for one, many in ((found.optimum, references.optimum), (found.pigou, references.pigou)):
        np.testing.assert_array_equal(one.job_kw, many.job_kw[days.jobs.day == last])


def test_asap_is_candidate_0_of_every_job(days) -> None:
    plans = candidate_schedules(days, 8)
    at_once = chosen_schedule("at_once", days, plans, np.zeros(days.jobs.num_jobs, int))
    np.testing.assert_allclose(asap(days).load_kw, at_once.load_kw)
    np.testing.assert_allclose(asap(days).discomfort_eur, at_once.discomfort_eur)


def test_restricted_references_use_candidate_plans_only(days, references) -> None:
    plans = candidate_schedules(days, 8)
    for schedule in (
        restricted_optimum(days, TARIFF, plans, SEARCH),
        rolling_planner(days, TARIFF, candidates=plans),
        selfish_rolling(days, TARIFF, plans),
    ):
        off = np.abs(plans.load_kw - schedule.job_kw[:, None]).max(axis=2)
        assert np.where(plans.legal, off, np.inf).min(axis=1).max() < 1e-12, schedule.name
        assert total_cost(schedule) >= total_cost(references.optimum), schedule.name


def test_nothing_is_expected_after_the_last_arrival(days, references) -> None:
    to_come = load_to_come(references.optimum, days)
    flexible_kw = (references.optimum.load_kw - days.base_kw).mean(axis=(0, 1))
    assert np.abs(to_come[days.jobs.arrival_step.max() :]).max() < 1e-12
    assert (to_come[0] <= flexible_kw + 1e-12).all()


def test_rounding_a_pure_plan_gives_it_back(days) -> None:
    day = day_jobs(days, 0)
    plan = start_plan(day, np.random.default_rng(0).random(len(day.household)))
    again = rounded(day, as_mix(day, plan))
    np.testing.assert_allclose(again.job_kw, plan.job_kw)
    np.testing.assert_allclose(again.delay_eur, plan.delay_eur, atol=1e-12)


def test_a_day_without_jobs_has_references_too(days) -> None:
    idle = with_jobs(days, np.zeros(days.jobs.num_jobs, dtype=bool))
    found = compute_references(idle, TARIFF, config=SEARCH)
    for schedule in found.schedules:
        np.testing.assert_array_equal(schedule.load_kw, days.base_kw)
    cost = found.optimum.costs(TARIFF).social_cost_eur
    np.testing.assert_allclose(found.lower_bound_eur, cost)
