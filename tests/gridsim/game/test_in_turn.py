"""Households in turn: alternatives by recomputing the day, deadlines, causality, privacy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gridsim.game.costs import potential
from gridsim.game.in_turn import NUM_PUBLIC, UNIT_EUR, InTurnEnv
from gridsim.game.joint_schedules import Schedule
from gridsim.households.households import STEP_H, STEPS_PER_DAY, STEPS_PER_HOUR, Jobs
from gridsim.households.outlook import expected_kw, regressors
from ss_core.algorithms import ALGORITHMS
from ss_core.env import CounterfactualEnv, StatefulEnv, VectorEnv
from ss_core.exchange.channel import ExchangeConfig
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.learning.learner import LearnerConfig
from ss_core.testing import check_env
from tests.gridsim.game.in_turn_world import (
    A,
    N,
    env_of,
    play,
    seen_outlook,
    small_world,
    some_days,
)
from tests.support.learning import assert_it_learns

REFUSED = ("ps", "imr")  # no copies of others' policies; no action is marked cooperative


def only(jobs: Jobs, kept: np.ndarray) -> Jobs:
    return Jobs(**{name: getattr(jobs, name)[kept] for name in jobs.__slots__})


def test_it_is_a_world_with_alternatives_and_a_memory() -> None:
    env = InTurnEnv(small_world(), 2)
    for protocol in (VectorEnv, CounterfactualEnv, StatefulEnv):
        assert isinstance(env, protocol)
    check_env(env, replay_alternatives=False)  # plans answer to what was announced before


@pytest.mark.parametrize("seed", [1, 2])
def test_alternatives_are_what_recomputing_the_day_brings(seed: int) -> None:
    days, tariff = some_days(3, seed), small_world().tariff
    env = env_of(days)
    play(env, seed)
    receivers = all_to_all(N).receivers
    table = env.counterfactual_rewards(receivers)
    episode, jobs, rng = env._playing(), days.jobs, np.random.default_rng(seed)

    def kept(event: int, action: int) -> Schedule:
        """The day as it was, but for a job that follows a plan from its turn to its end."""
        job, now = episode.turns.job[event], episode.turns.now[event]
        as_it_was = episode.job_kw
        episode.job_kw = as_it_was.copy()
        episode.job_kw[job, now:] = episode.plans_kw[event, action, now:]
        found = env.schedule("other")
        episode.job_kw = as_it_was
        return found

    for event in rng.choice(np.flatnonzero(env.num_plans > 1), 20, replace=False):
        action = int(rng.choice(np.flatnonzero(episode.legal[event])))
        job = episode.turns.job[event]
        day, mover = int(jobs.day[job]), int(jobs.household[job])
        chosen, other = kept(event, int(env.chosen[event])), kept(event, action)
        change = (chosen.costs(tariff).cost_eur - other.costs(tariff).cost_eur)[day]
        at = (int(episode.turns.turn[event]), day)
        assert float(table.own[at][mover, action]) == pytest.approx(change[mover], abs=1e-4)
        for sender in set(range(N)) - {mover}:
            slot = receivers[sender].tolist().index(mover)
            predicted = float(table.peers[at][sender, slot, action])
            assert predicted == pytest.approx(change[sender], abs=1e-4)
        phi = [potential(s.load_kw, s.discomfort_eur, tariff)[day] for s in (chosen, other)]
        assert phi[0] - phi[1] == pytest.approx(change[mover], abs=1e-6)  # an exact potential


def test_rewards_add_up_to_the_social_cost() -> None:
    env = env_of(some_days(3, 9))
    rewards = play(env, 5)[-1].rewards
    spent = env.schedule("random").costs(small_world().tariff).social_cost_eur
    np.testing.assert_allclose(-rewards.sum(dim=1).numpy(), spent, rtol=1e-5)


def test_every_job_is_done_within_its_window() -> None:
    days = some_days(8, 2)
    env = env_of(days)
    play(env, 3)
    schedule, jobs = env.schedule("random"), days.jobs
    energy = np.where(jobs.units > 0, jobs.units * days.ev_level_kw, jobs.cycle_kw.sum(axis=1))
    np.testing.assert_allclose(schedule.job_kw.sum(axis=1), energy, rtol=1e-5)
    steps = np.arange(STEPS_PER_DAY)
    outside = (steps < jobs.arrival_step[:, None]) | (steps >= jobs.end_step[:, None])
    assert (np.abs(schedule.job_kw[outside]) < 1e-6).all()
    assert schedule.job_kw.min() > -1e-6
    assert schedule.job_kw.max() < 3 * days.ev_level_kw + 1e-6
    assert (schedule.delay_eur >= -1e-9).all()
    np.testing.assert_allclose(schedule.load_kw, env.load_kw, atol=1e-6)


def test_a_cycle_that_runs_is_not_revised() -> None:
    days = some_days(8, 4)
    env = env_of(days)
    zeros = torch.zeros(8, N, dtype=torch.long)
    env.reset(0)
    for _ in range(env.spec.horizon):
        env.step(zeros)  # everything at once
    jobs, turns = days.jobs, env.turns
    cycle = jobs.units[turns.job] == 0
    assert cycle[~turns.is_first].any()
    assert (env.num_plans[cycle & ~turns.is_first] == 0).all()


def test_nothing_that_comes_later_is_seen() -> None:
    days, until = some_days(2, 4), 7 * STEPS_PER_HOUR
    base = days.base_kw.copy()
    base[:, :, until:] = np.random.default_rng(0).random(base[:, :, until:].shape)
    early = only(days.jobs, days.jobs.arrival_step < until)
    count = np.bincount(early.day, minlength=2).min()
    seen = []
    for each in (days, replace(days, base_kw=base, jobs=early)):
        env = env_of(each, revise_after=())
        step, rows = env.reset(0), []
        for _ in range(count):
            rows.append(step.observations)
            step = env.step(torch.zeros(2, N, dtype=torch.long))
        seen.append(torch.stack(rows))
    torch.testing.assert_close(seen[0], seen[1])


def test_private_costs_show_in_the_private_column_only() -> None:
    days = some_days(2, 5)
    dear = replace(days, jobs=replace(days.jobs, delay_cost=5.0 * days.jobs.delay_cost))
    rows, others = (
        env_of(each).reset(0).observations.unflatten(-1, (A, NUM_PUBLIC + 1))
        for each in (days, dear)
    )
    torch.testing.assert_close(rows[..., :-1], others[..., :-1])
    torch.testing.assert_close(5.0 * rows[..., -1], others[..., -1])


def test_a_plan_announced_is_seen_by_whoever_is_next_and_by_nobody_before() -> None:
    days = some_days(1, 6)
    envs = [env_of(days, revise_after=()) for _ in range(2)]  # one household a turn
    steps = [env.reset(0) for env in envs]
    job, owner = envs[0].turns.job, days.jobs.household
    turn = int(np.flatnonzero(days.jobs.units[job] > 0)[0])  # of the first car
    for _ in range(turn):
        torch.testing.assert_close(steps[0].observations, steps[1].observations)
        steps = [env.step(torch.zeros(1, N, dtype=torch.long)) for env in envs]
    torch.testing.assert_close(steps[0].observations, steps[1].observations)
    steps = [env.step(torch.full((1, N), plan)) for plan, env in enumerate(envs)]
    seen = [step.observations.unflatten(-1, (A, NUM_PUBLIC + 1))[0] for step in steps]
    costs = [rows[owner[job[turn + 1]], :, 1:3] for rows in seen]  # congestion and charge
    assert not torch.allclose(costs[0], costs[1])
    changed = np.abs(envs[0].load_kw - envs[1].load_kw).sum(axis=(0, 2))
    assert np.flatnonzero(changed).tolist() == [owner[job[turn]]]


def test_what_one_announced_oneself_is_not_part_of_the_load_one_expects() -> None:
    days = some_days(8, 10)
    jobs = days.jobs
    slack = (jobs.end_step - jobs.arrival_step - jobs.duration_steps) * (jobs.units == 0)
    (alone,) = np.flatnonzero(np.arange(jobs.num_jobs) == slack.argmax())  # a cycle that can wait
    days = replace(days, jobs=only(jobs, np.arange(jobs.num_jobs) == alone))
    day, household = int(days.jobs.day[0]), int(days.jobs.household[0])
    env = env_of(days, revise_after=(1,))
    env.reset(0)
    step = env.step(torch.full((8, N), 1))  # as late as possible: still to come when it is revised
    assert env.turns.num_events == 2
    row = step.observations.unflatten(-1, (A, NUM_PUBLIC + 1))[day, household, 1]  # as planned
    plan, tariff = env.schedule("planned").job_kw[0], small_world().tariff
    known, now = regressors(days), env.turns.now[1:]
    base_kw = days.base_kw.mean(axis=1)
    outlook = seen_outlook().coefficients()
    others_kw = expected_kw(outlook, known, base_kw, np.array([day]), now)[0]
    price_eur = STEP_H * tariff.beta * ((others_kw + plan / N) * plan).sum()
    assert float(row[1]) == pytest.approx(price_eur / UNIT_EUR, rel=1e-4)


def test_a_state_restores_the_outlook() -> None:
    first = env_of(some_days(2, 7))
    other = InTurnEnv(small_world(), 0, days=some_days(2, 7))
    other.restore(first.state())
    torch.testing.assert_close(first.reset(0).observations, other.reset(0).observations)


def test_the_outlook_is_learned_from_fresh_days_only() -> None:
    fresh, given = InTurnEnv(small_world(), 2), env_of(some_days(2, 8))
    play(fresh, 0)
    play(given, 0)
    assert fresh.history.weight == pytest.approx(0.1)
    assert given.history is seen_outlook()


def test_it_must_be_reset_first_and_when_it_is_over() -> None:
    env, zeros = InTurnEnv(small_world(), 1), torch.zeros(1, N, dtype=torch.long)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(zeros)
    play(env, 0)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(zeros)


def test_one_household_lives_alone() -> None:
    world = small_world()
    alone = replace(
        world,
        population=replace(
            world.population,
            **{k: getattr(world.population, k)[:1] for k in world.population.__slots__},
        ),
    )
    env = InTurnEnv(alone, 4)
    rewards = play(env, 0)[-1].rewards
    assert rewards.shape == (4, 1)
    assert (rewards < 0).all()


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name not in REFUSED])
@pytest.mark.parametrize("counterfactuals", [True, False])
def test_every_algorithm_it_can_hold_learns_from_it(algorithm: str, counterfactuals: bool) -> None:
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
    assert_it_learns(config, InTurnEnv(small_world(), 2, most_turns=48), 1)
