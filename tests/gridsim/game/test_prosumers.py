"""The game with roofs and batteries: the identities of before, by definition and by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gridsim.config import resolve
from gridsim.game.costs import costs, potential
from gridsim.game.in_turn import InTurnEnv
from gridsim.game.joint_schedules import Schedule
from gridsim.game.parallel import parallel_env
from gridsim.game.tariff import Tariff, TariffConfig, build_tariff
from gridsim.game.turns import turns_of
from gridsim.households.households import STEP_H, STEPS_PER_DAY, HouseholdConfig, JobKind
from gridsim.references.config import SearchConfig
from gridsim.references.references import asap, compute_references
from gridsim.stage import in_turn_env, set_stage
from ss_core.errors import ConfigError

N = 8
SETTINGS = {"case": "summer-noon", "households": N, "days": 3, "population.ev_ownership": 1.0}


@pytest.fixture(scope="module")
def stage():
    return set_stage(resolve("tuned", SETTINGS))


def tariff(**changes) -> Tariff:
    knobs = {"feed_in": 0.08, "kappa_feed_in": 0.5, "kappa": 0.8, "beta": 0.02, **changes}
    return build_tariff(TariffConfig(**knobs))


def some_load(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(-0.2, 1.5, (2, 5, STEPS_PER_DAY))


def test_feeding_in_earns_the_feed_in_tariff() -> None:
    plain = Tariff(
        base_price=np.full(STEPS_PER_DAY, 0.3),
        beta=0.0,
        gamma=0.0,
        kappa=1.0,
        feed_in_loss=np.full(STEPS_PER_DAY, 0.3 - 0.08),
    )
    load = np.zeros((1, 2, STEPS_PER_DAY))
    load[0, 0, 10], load[0, 0, 20] = -4.0, 2.0
    bill = costs(load, np.zeros((1, 2)), plain).bill_eur[0]
    np.testing.assert_allclose(bill, [STEP_H * (2.0 * 0.3 - 4.0 * 0.08), 0.0], atol=1e-12)


def test_reverse_flow_is_charged_beyond_what_the_feeder_carries() -> None:
    load = np.full((1, 2, STEPS_PER_DAY), -2.0)
    charge = costs(load, np.zeros((1, 2)), tariff(gamma=0.5)).charge_eur
    np.testing.assert_allclose(charge, 0.5 * STEP_H * STEPS_PER_DAY * 1.5**2)
    free = costs(load, np.zeros((1, 2)), tariff(kappa_feed_in=math.inf)).charge_eur
    assert free.tolist() == [0.0]


@pytest.mark.parametrize("seed", range(5))
def test_a_unilateral_change_moves_own_cost_and_potential_alike(seed: int) -> None:
    rng, load, priced = np.random.default_rng(seed), some_load(seed), tariff()
    other, nothing = load.copy(), np.zeros((2, 5))
    other[:, 2] += rng.normal(0.0, 2.0, other[:, 2].shape)
    mine = costs(other, nothing, priced).cost_eur - costs(load, nothing, priced).cost_eur
    moved = potential(other, nothing, priced) - potential(load, nothing, priced)
    np.testing.assert_allclose(mine[:, 2], moved, atol=1e-9)
    of_all = costs(load, nothing, priced)
    np.testing.assert_allclose(of_all.social_cost_eur, of_all.cost_eur.sum(axis=-1))


def played(stage, seed: int = 0) -> InTurnEnv:
    env = in_turn_env(resolve("tuned", SETTINGS), stage.world, 0, stage.held_out, None)
    step, generator = env.reset(0), torch.Generator().manual_seed(seed)
    for _ in range(env.spec.horizon):
        assert step.action_mask is not None
        drawn = torch.multinomial(step.action_mask.flatten(0, 1).double(), 1, generator=generator)
        step = env.step(drawn.view(step.action_mask.shape[:2]))
    return env


def test_batteries_stay_between_empty_and_full_whatever_is_chosen(stage) -> None:
    env = played(stage)
    batteries = env.days.jobs.kind == JobKind.BATTERY
    assert batteries.any()
    kw = env.schedule("any").job_kw[batteries]
    stored = env.days.battery.kept_kwh(kw).cumsum(axis=1)
    capacity = env.days.jobs.battery_kwh[batteries]
    assert (stored > -1e-5).all()
    assert (stored < capacity[:, None] + 1e-5).all()
    most = env.days.battery.kw_per_kwh * capacity
    assert (np.abs(kw) <= most[:, None] + 1e-5).all()
    assert (kw < 0).any()


def test_energy_is_conserved(stage) -> None:
    env = played(stage)
    days, schedule = env.days, env.schedule("any")
    jobs = np.zeros_like(days.base_kw)
    np.add.at(jobs, (days.jobs.day, days.jobs.household), schedule.job_kw)
    np.testing.assert_allclose(schedule.load_kw, days.base_kw + jobs, atol=1e-5)
    cars = days.jobs.units > 0
    charged = schedule.job_kw[cars].sum(axis=1) / days.ev_level_kw
    np.testing.assert_allclose(charged, days.jobs.units[cars], atol=1e-4)


def test_own_alternatives_are_what_the_day_would_have_cost(stage) -> None:
    env, priced = played(stage), stage.world.tariff
    neighbours = torch.stack([torch.arange(N) != i for i in range(N)]).nonzero()[:, 1].view(N, -1)
    found = env.counterfactual_rewards(neighbours)
    base, checked = env.schedule("as played"), 0
    episode = env._playing()
    for event in np.flatnonzero(env.num_plans > 1)[::7]:
        job, turn = env.turns.job[event], env.turns.turn[event]
        day, household = env.days.jobs.day[job], env.days.jobs.household[job]
        action = int(np.flatnonzero(episode.legal[event])[-1])
        later = np.arange(STEPS_PER_DAY) >= env.turns.now[event]
        job_kw, at = base.job_kw.copy(), []
        for plan in (env.chosen[event], action):
            job_kw[job] = np.where(later, episode.plans_kw[event, plan], base.job_kw[job])
            delay = base.delay_eur.copy()
            one = np.array([job])
            delay[job] = env._delay_eur(one, job_kw[one][:, None])[0, 0]
            schedule = Schedule.of_jobs("other", env.days, job_kw, delay)
            at.append(schedule.costs(priced).cost_eur[day])
        change = at[1] - at[0]
        assert found.own[turn, day, household, action] == pytest.approx(
            -change[household], abs=2e-4
        )
        other = (household + 1) % N
        slot = int(torch.eq(neighbours[other], int(household)).nonzero())
        peer = found.peers[turn, day, other, slot, action]
        assert peer == pytest.approx(-change[other], abs=2e-4)
        checked += 1
    assert checked > 10


def test_references_find_an_equilibrium_and_something_better(stage) -> None:
    few = SearchConfig(num_random_starts=1, num_perturbations=10)
    found = compute_references(stage.held_out, stage.world.tariff, config=few)
    cost = {s.name: s.costs(stage.world.tariff).social_cost_eur for s in found.schedules}
    assert (cost["optimum"] <= cost["nash"] + 1e-9).all()
    assert (cost["nash"] < cost["asap"]).all()
    assert np.isnan(found.lower_bound_eur).all()  # no bound knows batteries
    assert found.epsilon_eur.max() < 0.05
    stored = stage.held_out.battery.kept_kwh(found.optimum.job_kw).cumsum(axis=1)
    batteries = stage.held_out.jobs.kind == JobKind.BATTERY
    capacity = stage.held_out.jobs.battery_kwh[batteries, None]
    assert ((stored[batteries] > -1e-9) & (stored[batteries] < capacity + 1e-9)).all()


def test_without_control_a_battery_follows_its_household(stage) -> None:
    days = stage.held_out
    schedule = asap(days)
    batteries = np.flatnonzero(days.jobs.kind == JobKind.BATTERY)
    kw = schedule.job_kw[batteries]
    without = schedule.load_kw[days.jobs.day[batteries], days.jobs.household[batteries]] - kw
    assert (kw * without <= 1e-9).all()  # stores a surplus, covers a need


def test_the_bound_holds_with_roofs_alone() -> None:
    config = resolve("tuned", SETTINGS | {"population.battery_ownership": 0.0})
    stage = set_stage(config)
    few = SearchConfig(num_random_starts=0, num_perturbations=10)
    found = compute_references(stage.held_out, stage.world.tariff, config=few)
    best = found.optimum.costs(stage.world.tariff).social_cost_eur
    assert (found.lower_bound_eur <= best + 1e-9).all()
    assert (found.lower_bound_eur > 0.5 * best).all()  # levels of a car fit no roof exactly


def test_a_feed_in_tariff_above_the_price_is_refused_and_the_remedy_works() -> None:
    with pytest.raises(ConfigError, match=r"tariff\.feed_in=0\.9: above the lowest price"):
        build_tariff(TariffConfig(feed_in=0.9))
    assert build_tariff(TariffConfig(feed_in=0.9, surcharge=1.0)).feed_in_loss is not None
    with pytest.raises(ValueError, match="kappa_feed_in"):
        TariffConfig(kappa_feed_in=-1.0)


def test_plans_that_follow_the_own_sun_are_announced_in_full(stage) -> None:
    config = resolve("tuned", SETTINGS)
    sunny = in_turn_env(config, stage.world, 2).spec.announcement_floats
    plain = replace(stage.world, tariff=build_tariff(TariffConfig()))
    without = in_turn_env(config, plain, 2).spec.announcement_floats
    assert sunny == without + config.num_actions * STEPS_PER_DAY


def test_pettingzoo_has_roofs_and_batteries_in_turn() -> None:
    from pettingzoo.test import parallel_api_test

    config = HouseholdConfig(season="summer", first_hour=6, pv_ownership=1.0, battery_ownership=1.0)
    priced = TariffConfig(feed_in=0.08, kappa_feed_in=1.1)
    env = parallel_env(4, household_config=config, tariff_config=priced)
    parallel_api_test(env, num_cycles=20)
    with pytest.raises(ConfigError, match="knows no photovoltaics"):
        parallel_env(4, variant="per_job", household_config=config)


def test_a_battery_is_decided_on_in_the_morning_and_every_three_hours(stage) -> None:
    turns = turns_of(stage.held_out, (4, 8), 400)
    batteries = np.flatnonzero(stage.held_out.jobs.kind == JobKind.BATTERY)
    first = stage.held_out.jobs.arrival_step[batteries[0]]
    assert turns.now[turns.job == batteries[0]].tolist() == [first + 12 * k for k in range(6)]
