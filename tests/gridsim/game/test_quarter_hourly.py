"""The 15-minute form: deadlines kept under any play, the costs of the game, the same days."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gridsim.game.costs import costs
from gridsim.game.env import SchedulingEnv, World
from gridsim.game.quarter_hourly import OBSERVED, QuarterHourlyEnv
from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.days import draw_days
from gridsim.households.households import (
    STEP_H,
    STEPS_PER_DAY,
    Days,
    HouseholdConfig,
    JobKind,
    Jobs,
    draw_population,
)
from gridsim.households.profiles import load_profiles
from gridsim.households.workload import choices, lay_out
from ss_core.algorithms import ALGORITHMS
from ss_core.algorithms.build import build_learner
from ss_core.env import Step
from ss_core.errors import ConfigError
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.learning.learner import LearnerConfig
from ss_core.random_streams import Stream, numpy_generator
from ss_core.testing import check_env
from ss_core.training.loop import Training

LEVEL_KW = 11.0 / 3.0


@pytest.fixture(scope="module")
def world() -> World:
    profiles, config = load_profiles(), HouseholdConfig()
    return World(
        profiles=profiles,
        population=draw_population(config, profiles, 6, np.random.default_rng(3)),
        households=config,
        tariff=build_tariff(TariffConfig()),
        num_actions=8,
    )


def test_it_passes_the_examiner(world: World) -> None:
    check_env(QuarterHourlyEnv(world, 2))


def days_with(world: World, jobs: Sequence[Mapping[str, float]]) -> Days:
    """One day without base load and these jobs, all of one household."""
    n = world.population.num_households
    drawn = draw_days(
        world.households, world.profiles, world.population, 1, np.random.default_rng(0)
    )
    cycle_kw = np.zeros((len(jobs), 8))
    for row, job in zip(cycle_kw, jobs, strict=True):
        if not job.get("units"):
            row[: int(job["steps"])] = 2.0

    def column(name: str) -> np.ndarray:
        return np.array([int(job.get(name, 0)) for job in jobs])

    units = column("units")
    return replace(
        drawn,
        base_kw=np.zeros((1, n, STEPS_PER_DAY)),
        jobs=Jobs(
            day=np.zeros_like(units),
            household=np.full_like(units, 2),
            kind=np.where(units > 0, int(JobKind.EV), int(JobKind.DISHWASHER)),
            arrival_step=column("arrival"),
            end_step=column("end"),
            duration_steps=np.where(units > 0, units, column("steps")),
            cycle_kw=cycle_kw,
            units=units,
            delay_cost=np.array([job.get("cost", 0.0) for job in jobs]),
            battery_kwh=np.zeros(len(units)),
        ),
        ev_level_kw=LEVEL_KW,
    )


def random_play(env: QuarterHourlyEnv, seed: int, laziness: float) -> list[Step]:
    """A day of legal actions; the lazier, the more often the lowest one."""
    generator = torch.Generator().manual_seed(seed)
    steps = [env.reset(seed)]
    for _ in range(STEPS_PER_DAY):
        mask = steps[-1].action_mask
        assert mask is not None
        drawn = torch.multinomial(mask.double().flatten(0, 1), 1, generator=generator)
        lazy = torch.rand(mask.shape[:2], generator=generator) < laziness
        first = mask.int().argmax(dim=-1)
        steps.append(env.step(torch.where(lazy, first, drawn.view(mask.shape[:2]))))
    return steps


def play(env: QuarterHourlyEnv, action_of_2: dict[int, int], until: int) -> list[Step]:
    """Household 2 acts as asked, otherwise 0 is asked for."""
    steps = [env.reset(0)]
    for t in range(until):
        actions = torch.zeros(env.spec.num_envs, env.spec.num_agents, dtype=torch.long)
        actions[:, 2] = action_of_2.get(t, 0)
        steps.append(env.step(actions))
    return steps


def legal_of_2(step: Step) -> list[int]:
    assert step.action_mask is not None
    return step.action_mask[0, 2].nonzero().flatten().tolist()


def load_of(env: QuarterHourlyEnv, days: Days) -> np.ndarray:
    """The load curve anew, from levels and start steps."""
    load = days.base_kw + env.ev_level * days.ev_level_kw
    for j, start in enumerate(env.start_step):
        if start >= 0:
            run = slice(start, start + days.jobs.duration_steps[j])
            kw = days.jobs.cycle_kw[j, : days.jobs.duration_steps[j]]
            load[days.jobs.day[j], days.jobs.household[j], run] += kw
    return load


def discomfort_of(env: QuarterHourlyEnv, days: Days) -> np.ndarray:
    """Hours from arrival to start, or to every kWh, times the delay cost."""
    discomfort, jobs = np.zeros(days.base_kw.shape[:2]), days.jobs
    for j in range(jobs.num_jobs):
        where = jobs.day[j], jobs.household[j]
        if jobs.units[j]:
            kwh = env.ev_level[where] * days.ev_level_kw * STEP_H
            delay = (kwh * (np.arange(STEPS_PER_DAY) - jobs.arrival_step[j]) * STEP_H).sum()
        else:
            delay = (env.start_step[j] - jobs.arrival_step[j]) * STEP_H
        discomfort[where] += delay * jobs.delay_cost[j]
    return discomfort


@settings(max_examples=12)
@given(seed=st.integers(0, 2**31 - 1), laziness=st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_any_legal_play_delivers_all_energy_inside_the_windows_at_the_cost_of_the_game(
    world: World, seed: int, laziness: float
) -> None:
    days = draw_days(
        world.households, world.profiles, world.population, 4, np.random.default_rng(seed)
    )
    env = QuarterHourlyEnv(world, 4, days=days)
    steps, jobs = random_play(env, seed, laziness), days.jobs

    ev = jobs.units > 0
    assert (env.start_step[~ev] >= jobs.arrival_step[~ev]).all()
    assert (env.start_step[~ev] + jobs.duration_steps[~ev] <= jobs.end_step[~ev]).all()
    charged = np.zeros_like(env.ev_level)
    for j in np.flatnonzero(ev):
        window = slice(jobs.arrival_step[j], jobs.end_step[j])
        level = env.ev_level[jobs.day[j], jobs.household[j], window]
        assert level.sum() == jobs.units[j]
        charged[jobs.day[j], jobs.household[j], window] = level
    assert (charged == env.ev_level).all()

    np.testing.assert_allclose(env.load_kw, load_of(env, days), atol=1e-9)
    exact = costs(load_of(env, days), discomfort_of(env, days), world.tariff)
    np.testing.assert_allclose(env.outcome().cost_eur, exact.cost_eur, atol=1e-6)
    earned = torch.stack([step.rewards.double() for step in steps]).sum(dim=0)
    np.testing.assert_allclose(-earned.numpy(), exact.cost_eur, atol=5e-6)
    assert [bool(step.terminated.all()) for step in steps] == [False] * STEPS_PER_DAY + [True]


@settings(max_examples=6)
@given(seed=st.integers(0, 2**31 - 1))
def test_unmasked_play_keeps_every_deadline_too(world: World, seed: int) -> None:
    env, generator = QuarterHourlyEnv(world, 3), torch.Generator().manual_seed(seed)
    env.reset(seed)
    for _ in range(STEPS_PER_DAY):
        env.step(torch.randint(0, 8, (3, 6), generator=generator))
    rng = numpy_generator(seed, Stream.TRAINING_DAYS)
    jobs = draw_days(world.households, world.profiles, world.population, 3, rng).jobs
    cycle = jobs.units == 0
    ends = env.start_step[cycle] + jobs.duration_steps[cycle]
    assert (env.start_step[cycle] >= jobs.arrival_step[cycle]).all()
    assert (ends <= jobs.end_step[cycle]).all()
    assert env.ev_level.sum() == jobs.units.sum()


def test_both_forms_live_through_the_same_days(world: World) -> None:
    small, per_job = QuarterHourlyEnv(world, 3), SchedulingEnv(world, 3)
    small.reset(5)
    per_job.reset(5)
    np.testing.assert_array_equal(small.load_kw, per_job.load_kw)


def test_starting_everything_at_once_costs_what_action_zero_per_job_costs(world: World) -> None:
    days = draw_days(
        world.households, world.profiles, world.population, 5, np.random.default_rng(8)
    )
    small, per_job = (form(world, 5, days=days) for form in (QuarterHourlyEnv, SchedulingEnv))
    zeros = torch.zeros(5, 6, dtype=torch.long)
    per_job.reset(0)
    for _ in range(per_job.spec.horizon):
        per_job.step(zeros)
    small.reset(0)
    for _ in range(STEPS_PER_DAY):
        small.step(zeros + 7)
    # two cycles that arrive in one step start one after the other: at most those days may differ
    arrival = np.stack([days.jobs.day, days.jobs.household, days.jobs.arrival_step])
    cycles = arrival[:, days.jobs.units == 0]
    assert len(np.unique(cycles, axis=1).T) == cycles.shape[1]
    np.testing.assert_allclose(small.outcome().cost_eur, per_job.outcome().cost_eur, atol=1e-5)


def test_a_car_must_charge_when_only_full_power_is_left(world: World) -> None:
    # 8 level-steps, 4 steps: two steps at most may pass without a third of it
    days = days_with(world, [{"units": 8, "arrival": 10, "end": 14}])
    env = QuarterHourlyEnv(world, 1, days=days)
    steps = play(env, {}, 14)
    assert legal_of_2(steps[9]) == [0]
    assert legal_of_2(steps[10]) == [0, 2, 4, 6]
    assert legal_of_2(steps[11]) == [4, 6]  # 8 left, 3 steps: after this one 6 at most
    assert legal_of_2(steps[12]) == [6]
    assert env.ev_level[0, 2, 9:15].tolist() == [0, 0, 2, 3, 3, 0]


def test_a_nearly_full_car_takes_no_more_than_it_needs(world: World) -> None:
    days = days_with(world, [{"units": 4, "arrival": 10, "end": 40}])
    steps = play(QuarterHourlyEnv(world, 1, days=days), {10: 6}, 12)
    assert legal_of_2(steps[11]) == [0, 2]
    assert legal_of_2(steps[12]) == [0, 2]


def test_the_cycle_that_must_start_first_goes_first_and_is_forced_at_its_last_step(
    world: World,
) -> None:
    relaxed = {"steps": 4, "arrival": 0, "end": 30}  # latest start 26
    urgent = {"steps": 4, "arrival": 2, "end": 10}  # latest start 6
    env = QuarterHourlyEnv(world, 1, days=days_with(world, [relaxed, urgent]))
    steps = play(env, {3: 1}, 30)
    assert legal_of_2(steps[0]) == [0, 1]
    assert legal_of_2(steps[3]) == [0, 1]
    assert env.start_step.tolist() == [26, 3]
    assert legal_of_2(steps[26]) == [1]
    assert legal_of_2(steps[27]) == [0]


def test_two_cycles_due_in_one_step_both_start(world: World) -> None:
    twice = [{"steps": 4, "arrival": 0, "end": 20}] * 2
    env = QuarterHourlyEnv(world, 1, days=days_with(world, twice))
    play(env, {}, 17)
    assert env.start_step.tolist() == [16, 16]
    assert env.load_kw[0, 2, 15:21].tolist() == [0, 4, 4, 4, 4, 0]


def test_rewards_of_a_step_are_what_one_works_out_by_hand(world: World) -> None:
    tariff = replace(world.tariff, base_price=np.full(96, 0.2), beta=0.06, gamma=0.5, kappa=0.5)
    jobs = [
        {"units": 6, "arrival": 0, "end": 96, "cost": 0.1},
        {"steps": 4, "arrival": 0, "end": 96, "cost": 0.08},
    ]
    env = QuarterHourlyEnv(replace(world, tariff=tariff), 1, days=days_with(world, jobs))
    first, second = play(env, {0: 7, 1: 2}, 2)[1:]
    # 11 kW and the cycle's 2 kW: 13/6 kW per household, price 0.2 + 0.06 * 13/6 = 0.33 EUR/kWh,
    # charge 0.5 * 0.25 * (13/6 - 1/2)^2; three units wait: 3 * 11/12 kWh * 0.25 h * 0.1
    charge = 0.125 * (10 / 6) ** 2
    waits = 2.75 * 0.25 * 0.1
    assert first.rewards[0, 2].item() == pytest.approx(-(3.25 * 0.33 + charge + waits), abs=1e-6)
    assert first.rewards[0, 0].item() == pytest.approx(-charge, abs=1e-6)
    # then one level on top of the cycle: 17/3 kW, two units wait
    mean_kw = 17 / 18
    bill = 17 / 12 * (0.2 + 0.06 * mean_kw)
    cost = bill + 0.125 * (mean_kw - 0.5) ** 2 + waits * 2 / 3
    assert second.rewards[0, 2].item() == pytest.approx(-cost, abs=1e-6)


def test_a_cycle_pays_for_every_quarter_of_an_hour_it_waits(world: World) -> None:
    days = days_with(world, [{"steps": 4, "arrival": 4, "end": 96, "cost": 0.08}])
    env = QuarterHourlyEnv(world, 1, days=days)
    steps = play(env, {6: 1}, 8)
    assert [round(-float(s.rewards[0, 2]), 6) for s in steps[4:7]] == [0.0, 0.02, 0.02]
    assert env.discomfort_eur()[0, 2] == pytest.approx(0.04)


def observed(step: Step, name: str) -> float:
    return float(step.observations[0, 2, OBSERVED.index(name)])


def test_observations_show_own_jobs_from_their_arrival_on(world: World) -> None:
    jobs = [
        {"units": 8, "arrival": 10, "end": 34, "cost": 0.01},
        {"steps": 4, "arrival": 12, "end": 24, "cost": 0.06},
    ]
    steps = play(QuarterHourlyEnv(world, 1, days=days_with(world, jobs)), {}, 13)
    assert (steps[9].observations[0, 2, OBSERVED.index("ev_connected") :] == 0).all()
    assert observed(steps[10], "ev_connected") == 1.0
    assert observed(steps[10], "ev_units") == 8 / 16
    assert observed(steps[10], "ev_steps_left") == 24 / 48
    assert observed(steps[10], "ev_delay_cost") == pytest.approx(2.0)
    assert observed(steps[10], "cycles_waiting") == 0.0
    assert observed(steps[13], "cycles_waiting") == 0.5
    assert observed(steps[13], "cycle_kw") == 1.0
    assert observed(steps[13], "cycle_steps") == 0.5
    assert observed(steps[13], "cycle_slack") == 7 / 16
    assert observed(steps[13], "cycle_delay_cost") == pytest.approx(2.0)


def test_nobody_sees_the_load_or_the_jobs_to_come(world: World) -> None:
    history_env = QuarterHourlyEnv(world, 8)
    random_play(history_env, 1, 0.5)
    days = draw_days(
        world.households, world.profiles, world.population, 2, np.random.default_rng(4)
    )
    now = 30  # forecasts rest on what was measured before step 28
    later = days.base_kw.copy()
    later[..., now:] += 1.0
    jobs = days.jobs
    known = jobs.arrival_step <= now
    fewer = Jobs(**{name: getattr(jobs, name)[known] for name in Jobs.__slots__})
    changed = replace(days, base_kw=later, jobs=fewer)
    seen = []
    for given_days in (days, changed):
        env = QuarterHourlyEnv(world, 2, days=given_days, history=history_env.history)
        steps = [env.reset(0)]
        steps += [env.step(torch.zeros(2, 6, dtype=torch.long)) for _ in range(now)]
        seen.append(steps)
    for before, after in zip(*seen, strict=True):
        assert torch.equal(before.observations, after.observations)
        assert torch.equal(before.action_mask, after.action_mask)  # type: ignore[arg-type]


def test_the_same_seed_gives_the_same_episode_in_fresh_tensors(world: World) -> None:
    first, second = (random_play(QuarterHourlyEnv(world, 2), 11, 0.3) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.observations, other.observations)
        assert torch.equal(one.rewards, other.rewards)
    kept = [step.observations.clone() for step in first]
    pointers = {step.observations.data_ptr() for step in first}
    assert len(pointers) == len(first)
    assert all(torch.equal(a, b.observations) for a, b in zip(kept, first, strict=True))


def test_an_interrupted_history_is_continued(world: World) -> None:
    env, resumed = QuarterHourlyEnv(world, 2), QuarterHourlyEnv(world, 2)
    random_play(env, 1, 0.5)
    resumed.restore(env.state())
    assert torch.equal(env.reset(2).observations, resumed.reset(2).observations)


def test_a_finished_day_wants_a_reset(world: World) -> None:
    env = QuarterHourlyEnv(world, 1)
    random_play(env, 0, 0.0)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(torch.zeros(1, 6, dtype=torch.long))


@pytest.mark.parametrize(
    ("jobs", "complaint"),
    [
        ([{"units": 3, "arrival": 0, "end": 9}] * 2, "2 car jobs"),
        ([{"units": 7, "arrival": 4, "end": 6}], "3 steps do not fit"),
        ([{"steps": 4, "arrival": 94, "end": 98}], "do not fit"),
    ],
)
def test_days_that_cannot_be_played_are_refused(
    world: World, jobs: Sequence[Mapping[str, float]], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        lay_out(days_with(world, jobs))


def test_choices_leave_everybody_an_action_at_every_step(world: World) -> None:
    work = lay_out(
        draw_days(world.households, world.profiles, world.population, 9, np.random.default_rng(0))
    )
    for step in range(STEPS_PER_DAY):
        legal = choices(work, step, work.ev_units, work.job < 0).legal()
        assert legal.any(axis=-1).all()


def train(env: QuarterHourlyEnv, config: LearnerConfig) -> Training:
    learner = build_learner(config, env.spec, seed=0)
    training = Training(learner, env, Channel(config.exchange, env.spec.num_agents, 0), seed=0)
    for _ in range(2):
        training.advance()
    return training


@pytest.mark.parametrize(
    ("algorithm", "architecture"),
    [
        (algorithm, architecture)
        for algorithm in ALGORITHMS
        for architecture in ("shared", "multihead")
        if algorithm != "imr" and (algorithm, architecture) != ("ps", "shared")
    ],
)
def test_every_algorithm_it_can_hold_learns_from_it(
    world: World, algorithm: str, architecture: str
) -> None:
    config = LearnerConfig(
        algorithm=algorithm,
        architecture=architecture,  # type: ignore[arg-type]
        hidden=(8,),
        critic_hidden=(8,),
        num_envs=2,
        exchange=ExchangeConfig(protocol="random", num_neighbours=2),
    )
    training = train(QuarterHourlyEnv(world, 2), config)
    before = build_learner(config, training.env.spec, seed=0).actors.params
    after = training.learner.actors.params
    assert any(not torch.equal(w, before[name]) for name, w in after.items())
    assert all(bool(torch.isfinite(w).all()) for w in after.values())
    assert training.metrics["episode_reward"] < 0.0
    exchanged: dict[str, Tensor] = training.channel.ledger.state()
    kinds = {
        "ss": {"own_policy", "suggestion"},
        "independent": set(),
        "centralised": {"observation", "reward"},
        "vps": {"critic_parameters"},
        "vs": {"advantage"},
        "ps": {"policy_parameters"},
        "reward_transfer": {"reward"},
        "svo": {"reward"},
    }
    assert set(exchanged) == kinds[algorithm]
