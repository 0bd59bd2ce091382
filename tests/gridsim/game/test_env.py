"""The game with one decision per job: alternatives by replay, budget, causality, privacy, masks."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gridsim.game.env import NUM_PUBLIC, SchedulingEnv, World
from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.days import draw_days
from gridsim.households.forecast import LoadHistory
from gridsim.households.households import (
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    Days,
    HouseholdConfig,
    Jobs,
    draw_population,
)
from gridsim.households.profiles import load_profiles
from gridsim.households.schedules import candidate_schedules
from ss_core.algorithms import ALGORITHMS
from ss_core.algorithms.build import build_learner
from ss_core.env import CounterfactualEnv, StatefulEnv, Step, VectorEnv
from ss_core.errors import ConfigError
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.learning.learner import LearnerConfig
from ss_core.testing import check_env
from ss_core.training.loop import Training
from tests.support.learning import assert_it_learns

N, A, HOURS = 6, 8, 24
REFUSED = ("ps", "imr")  # no copies of others' policies; no action is marked cooperative


@pytest.fixture(scope="module")
def world() -> World:
    profiles, config = load_profiles(), HouseholdConfig()
    return World(
        profiles=profiles,
        population=draw_population(config, profiles, N, np.random.default_rng(3)),
        households=config,
        tariff=build_tariff(TariffConfig()),
        num_actions=A,
    )


@pytest.fixture(scope="module")
def history(world: World) -> LoadHistory:
    """What a few days of random play leave behind."""
    env = SchedulingEnv(world, 8)
    for seed in range(2):
        play(env, seed)
    return env.history


def some_days(world: World, num_days: int, seed: int) -> Days:
    rng = np.random.default_rng(seed)
    return draw_days(world.households, world.profiles, world.population, num_days, rng)


def play(env: SchedulingEnv, seed: int) -> list[Step]:
    """A day of legal actions at random."""
    generator = torch.Generator().manual_seed(seed)
    steps = [env.reset(seed)]
    for _ in range(HOURS):
        mask = steps[-1].action_mask
        assert mask is not None
        drawn = torch.multinomial(mask.double().flatten(0, 1), 1, generator=generator)
        steps.append(env.step(drawn.view(mask.shape[:2])))
    return steps


def replay(env: SchedulingEnv, days: Days, chosen: np.ndarray) -> Tensor:
    """Returns of the given days under the given action of every job."""
    env.reset(0)
    total = torch.zeros(days.num_days, days.num_households, dtype=torch.float64)
    for hour in range(HOURS):
        actions = torch.zeros(days.num_days, days.num_households, dtype=torch.long)
        for j in np.flatnonzero(days.jobs.arrival_step // STEPS_PER_HOUR == hour):
            actions[days.jobs.day[j], days.jobs.household[j]] = int(chosen[j])
        total += env.step(actions).rewards.double()
    return total


def rows(step: Step) -> Tensor:
    return step.observations.unflatten(-1, (A, NUM_PUBLIC + 1))


@settings(max_examples=6)
@given(seed=st.integers(0, 2**31 - 1))
def test_alternatives_are_what_a_replay_of_the_day_brings(world: World, seed: int) -> None:
    days = some_days(world, 2, seed)
    env = SchedulingEnv(world, 2, days=days)
    play(env, seed)
    chosen = env.chosen.copy()
    receivers = all_to_all(N).receivers
    table = env.counterfactual_rewards(receivers)
    before, legal = replay(env, days, chosen), candidate_schedules(days, A).legal

    rng, jobs = np.random.default_rng(seed), days.jobs
    for j in rng.choice(jobs.num_jobs, 6, replace=False):
        action = int(rng.choice(np.flatnonzero(legal[j])))
        other = chosen.copy()
        other[j] = action
        change = (replay(env, days, other) - before)[jobs.day[j]]
        at = int(jobs.arrival_step[j]) // STEPS_PER_HOUR, int(jobs.day[j])
        mover = int(jobs.household[j])
        assert float(table.own[at][mover, action]) == pytest.approx(float(change[mover]), abs=1e-4)
        for sender in range(N):
            if sender != mover:
                slot = receivers[sender].tolist().index(mover)
                predicted = float(table.peers[at][sender, slot, action])
                assert predicted == pytest.approx(float(change[sender]), abs=1e-4)


def test_the_action_taken_and_hours_without_a_job_change_nothing(world: World) -> None:
    days = some_days(world, 3, 1)
    env = SchedulingEnv(world, 3, days=days)
    play(env, 1)
    table = env.counterfactual_rewards(all_to_all(N).receivers)
    jobs = days.jobs
    at = jobs.arrival_step // STEPS_PER_HOUR, jobs.day, jobs.household
    taken = table.own[at][np.arange(jobs.num_jobs), env.chosen]
    np.testing.assert_allclose(taken.numpy(), 0.0, atol=1e-6)
    idle = np.ones((HOURS, 3, N), dtype=bool)
    idle[at] = False
    assert (table.own.numpy()[idle] == 0.0).all()


def test_what_a_household_foresees_does_not_depend_on_its_peers_private_costs(
    world: World,
) -> None:
    days = some_days(world, 2, 2)
    tables = []
    for factor in (1.0, 5.0):
        jobs = replace(days.jobs, delay_cost=days.jobs.delay_cost * factor)
        env = SchedulingEnv(world, 2, days=replace(days, jobs=jobs))
        play(env, 4)
        tables.append(env.counterfactual_rewards(all_to_all(N).receivers))
    assert torch.equal(tables[0].peers, tables[1].peers)
    assert not torch.equal(tables[0].own, tables[1].own)


def test_rewards_come_at_the_end_and_add_up_to_minus_the_social_cost(world: World) -> None:
    env = SchedulingEnv(world, 4)
    steps = play(env, 9)
    rewards = torch.stack([step.rewards for step in steps])
    assert (rewards[:-1] == 0.0).all()
    np.testing.assert_allclose(
        -rewards.double().sum(dim=(0, 2)), env.outcome().social_cost_eur, rtol=1e-6
    )
    assert [bool(step.terminated.all()) for step in steps] == [False] * HOURS + [True]
    assert not any(bool(step.truncated.any()) for step in steps)


def test_the_load_is_the_base_load_and_the_chosen_plans(world: World) -> None:
    days = some_days(world, 2, 5)
    env = SchedulingEnv(world, 2, days=days)
    play(env, 5)
    plans, jobs = candidate_schedules(days, A), days.jobs
    load_kw = days.base_kw.copy()
    for j, action in enumerate(env.chosen):
        load_kw[jobs.day[j], jobs.household[j]] += plans.load_kw[j, action]
    np.testing.assert_allclose(env.load_kw, load_kw, atol=1e-9)


def test_before_anybody_decided_no_delay_is_paid_for(world: World) -> None:
    days = some_days(world, 3, 6)
    env = SchedulingEnv(world, 3, days=days)
    env.reset(0)
    assert (env.discomfort_eur() == 0.0).all()
    for hour in range(HOURS):
        known = days.jobs.arrival_step // STEPS_PER_HOUR < hour
        cost = np.zeros(3)
        at_once = candidate_schedules(days, A).delay_eur[:, 0]
        np.add.at(cost, days.jobs.day[known], at_once[known])
        np.testing.assert_allclose(env.discomfort_eur().sum(axis=1), cost, atol=1e-12)
        env.step(torch.zeros(3, N, dtype=torch.long))


@settings(max_examples=8)
@given(seed=st.integers(0, 2**31 - 1), hour=st.integers(0, HOURS - 1))
def test_what_is_seen_does_not_depend_on_what_is_to_come(
    world: World, history: LoadHistory, seed: int, hour: int
) -> None:
    days = some_days(world, 2, seed)
    jobs, now = days.jobs, hour * STEPS_PER_HOUR
    base_kw = days.base_kw.copy()
    base_kw[..., now:] *= 3.0
    known = jobs.arrival_step < now + STEPS_PER_HOUR
    fewer = Jobs(**{name: getattr(jobs, name)[known] for name in Jobs.__slots__})
    seen = []
    for given_days in (days, replace(days, base_kw=base_kw, jobs=fewer)):
        env = SchedulingEnv(world, 2, days=given_days, history=history)
        seen.append(list(until(env, hour)))
    for before, after in zip(*seen, strict=True):
        assert torch.equal(before.observations, after.observations)
        assert torch.equal(before.action_mask, after.action_mask)  # type: ignore[arg-type]


def until(env: SchedulingEnv, hour: int) -> Iterator[Step]:
    """Steps up to the one that shows the jobs of this hour; action 1 where it is legal."""
    step = env.reset(0)
    yield step
    for _ in range(hour):
        assert step.action_mask is not None
        step = env.step(step.action_mask[..., 1].long())
        yield step


def test_what_was_measured_today_is_seen(world: World, history: LoadHistory) -> None:
    days = some_days(world, 2, 0)
    busier = days.base_kw.copy()
    busier[..., : STEPS_PER_DAY // 4] += 2.0
    seen = [
        list(until(SchedulingEnv(world, 2, days=d, history=history), 8))[-1].observations
        for d in (days, replace(days, base_kw=busier))
    ]
    assert not torch.equal(seen[0], seen[1])


def test_public_features_do_not_depend_on_private_delay_costs(
    world: World, history: LoadHistory
) -> None:
    days = some_days(world, 3, 7)
    costly = replace(days.jobs, delay_cost=days.jobs.delay_cost * 3.0)
    seen = [
        [rows(step) for step in until(SchedulingEnv(world, 3, days=d, history=history), 23)]
        for d in (days, replace(days, jobs=costly))
    ]
    for cheap, dear in zip(*seen, strict=True):
        assert torch.equal(cheap[..., :NUM_PUBLIC], dear[..., :NUM_PUBLIC])
        torch.testing.assert_close(3.0 * cheap[..., NUM_PUBLIC:], dear[..., NUM_PUBLIC:])


def test_a_household_without_a_job_has_one_legal_action_and_sees_nothing(world: World) -> None:
    days = some_days(world, 4, 8)
    env = SchedulingEnv(world, 4, days=days)
    legal = candidate_schedules(days, A).legal
    for hour, step in enumerate(until(env, 23)):
        assert step.action_mask is not None
        at = days.jobs.arrival_step // STEPS_PER_HOUR == hour
        busy = np.zeros((4, N), dtype=bool)
        busy[days.jobs.day[at], days.jobs.household[at]] = True
        mask, seen = step.action_mask.numpy(), step.observations.numpy()
        assert (mask[~busy].sum(axis=-1) == 1).all()
        assert mask[~busy][:, 0].all()
        assert (seen[~busy] == 0.0).all()
        np.testing.assert_array_equal(mask[days.jobs.day[at], days.jobs.household[at]], legal[at])


def test_the_same_seed_gives_the_same_days_and_other_seeds_other_days(world: World) -> None:
    first, second, third = (SchedulingEnv(world, 2) for _ in range(3))
    for one, other in zip(play(first, 4), play(second, 4), strict=True):
        assert torch.equal(one.observations, other.observations)
        assert torch.equal(one.rewards, other.rewards)
    assert not np.array_equal(second.reset(4).observations, third.reset(5).observations)


def test_given_days_are_played_whatever_the_seed_and_leave_no_memory(world: World) -> None:
    days = some_days(world, 3, 9)
    env = SchedulingEnv(world, 1, days=days)
    assert env.spec.num_envs == 3
    first = env.reset(1)
    play(env, 1)
    again = env.reset(2)
    assert torch.equal(first.observations, again.observations)
    assert env.history.weight == 0.0
    np.testing.assert_array_equal(env.load_kw, days.base_kw)


def test_observations_are_never_overwritten(world: World) -> None:
    env = SchedulingEnv(world, 2)
    steps, copies = [env.reset(3)], []
    for _ in range(HOURS):
        copies.append(steps[-1].observations.clone())
        steps.append(env.step(torch.zeros(2, N, dtype=torch.long)))
    env.reset(4)
    assert len({step.observations.data_ptr() for step in steps}) == len(steps)
    for step, copy in zip(steps, copies, strict=False):
        assert torch.equal(step.observations, copy)


def test_fresh_days_are_remembered_and_a_memory_can_be_restored(world: World) -> None:
    env, resumed = SchedulingEnv(world, 4), SchedulingEnv(world, 4)
    play(env, 1)
    assert env.history.weight == pytest.approx(0.1)
    resumed.restore(env.state())
    for one, other in zip(play(env, 2), play(resumed, 2), strict=True):
        assert torch.equal(one.observations, other.observations)


def test_steps_are_refused_before_the_first_reset_and_after_the_last_hour(world: World) -> None:
    env, zeros = SchedulingEnv(world, 1), torch.zeros(1, N, dtype=torch.long)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(zeros)
    play(env, 0)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(zeros)


def test_it_passes_the_examiner(world: World) -> None:
    check_env(SchedulingEnv(world, 2))
    check_env(SchedulingEnv(world, 1, days=some_days(world, 2, 9)))


def test_it_keeps_the_protocols(world: World) -> None:
    env = SchedulingEnv(world, 1)
    for protocol in (VectorEnv, CounterfactualEnv, StatefulEnv):
        assert isinstance(env, protocol)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name not in REFUSED])
@pytest.mark.parametrize("counterfactuals", [True, False])
def test_every_algorithm_it_can_hold_learns_from_it(
    world: World, algorithm: str, counterfactuals: bool
) -> None:
    config = LearnerConfig(
        algorithm=algorithm,
        architecture="shared",
        hidden=(8,),
        critic_hidden=(8,),
        num_envs=2,
        actor_lr=1e-2,
        suggestion_lr=1e-2,
        counterfactuals=counterfactuals,
        exchange=ExchangeConfig(protocol="random", num_neighbours=2),
    )
    assert_it_learns(config, SchedulingEnv(world, 2), 2)


def test_it_refuses_what_it_cannot_hold(world: World) -> None:
    with pytest.raises(ValueError, match="no copies of others' policies"):
        LearnerConfig(algorithm="ps", architecture="shared")
    config = LearnerConfig(algorithm="imr", architecture="shared", hidden=(8,), critic_hidden=(8,))
    env = SchedulingEnv(world, 1)
    learner = build_learner(config, env.spec, seed=0)
    training = Training(learner, env, Channel(config.exchange, N, 0), seed=0)
    with pytest.raises(ConfigError, match="does not tell which actions are cooperative"):
        training.advance()
