"""What every part of a grid run plays on, and days played by learned policies.

A function of the configuration alone: population, held-out days, environments, learners.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from gridsim.config import GridConfig
from gridsim.game.env import SchedulingEnv, World
from gridsim.game.in_turn import InTurnEnv
from gridsim.game.joint_schedules import Schedule, stepwise_schedule
from gridsim.game.quarter_hourly import QuarterHourlyEnv
from gridsim.game.tariff import build_tariff
from gridsim.households.forecast import LoadHistory
from gridsim.households.households import STEPS_PER_HOUR, Days, draw_population
from gridsim.households.outlook import Outlook
from gridsim.households.profiles import load_profiles
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import play_episode
from ss_core.random_streams import Stream, numpy_generator, torch_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.training.loop import Training

WELFARE_PLAYS = 2  # of every held-out day
PAST_DAYS = 8  # from which the forecasting planner knows what is to come

Play = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Stage:
    """What every part of a run plays on: a function of the configuration alone."""

    world: World
    held_out: Days


def set_stage(config: GridConfig) -> Stage:
    """Draw the population and the held-out days."""
    profiles = load_profiles()
    population = draw_population(
        config.population,
        profiles,
        config.households,
        numpy_generator(config.seed, Stream.POPULATION),
    )
    world = World(
        profiles,
        population,
        config.population,
        build_tariff(config.tariff, config.population.first_hour),
        config.num_actions,
    )
    return Stage(world, _days(config, world, config.days, Stream.HELD_OUT_DAYS))


def trial_days(config: GridConfig, stage: Stage) -> Days:
    """Days on which coordination is tried before it is recommended, the same for every row."""
    return _days(config, stage.world, config.trial_days, Stream.TRIAL_DAYS)


def past_days(config: GridConfig, stage: Stage) -> Days:
    """Days before the held-out ones, which a planner with a forecast has seen."""
    return _days(config, stage.world, PAST_DAYS, Stream.PAST_DAYS)


def _days(config: GridConfig, world: World, count: int, stream: Stream) -> Days:
    return world.draw(count, numpy_generator(config.seed, stream))


def build_training(config: GridConfig, learner: LearnerConfig, stage: Stage) -> Training:
    """A learner before its first update."""
    env = build_env(config, stage.world, learner.num_envs)
    return Training.begin(learner, env, config.seed, config.device)


def build_env(
    config: GridConfig,
    world: World,
    num_envs: int,
    days: Days | None = None,
    history: LoadHistory | Outlook | None = None,
) -> SchedulingEnv | QuarterHourlyEnv | InTurnEnv:
    """The environment of the configured form of decisions; `history` is of its kind."""
    if config.variant == "in_turn":
        assert not isinstance(history, LoadHistory)
        return in_turn_env(config, world, num_envs, days, history)
    assert not isinstance(history, Outlook)
    if config.variant == "quarter_hourly":
        return QuarterHourlyEnv(world, num_envs, days=days, history=history)
    return SchedulingEnv(world, num_envs, days=days, history=history)


def in_turn_env(
    config: GridConfig,
    world: World,
    num_envs: int,
    days: Days | None = None,
    history: Outlook | None = None,
) -> InTurnEnv:
    """Households in turn, as configured."""
    return InTurnEnv(
        world,
        num_envs,
        days=days,
        history=history,
        revise_after=config.revise_after,
        most_turns=config.most_turns,
    )


@dataclass(frozen=True, slots=True)
class Played:
    """One play of the held-out days."""

    schedule: Schedule
    decisions: Mapping[str, np.ndarray]  # [job]: plan `chosen`, its `probability`, `num_plans`


def play(
    training: Training,
    stage: Stage,
    config: GridConfig,
    *,
    sample: int,
    days: Days | None = None,
) -> Played:
    """Play days with the stochastic policies, the held-out ones if none are given.

    Nothing is exchanged or learned.
    """
    history = training.env.history  # type: ignore[attr-defined]
    days = days or stage.held_out
    env = build_env(config, stage.world, 0, days, history)
    generator = torch_generator(config.seed, Stream.PLAYED_ACTIONS, sample)
    log_probs = play_episode(env, training.learner.actors, seed=0, generator=generator)
    name = training.learner.config.algorithm
    if isinstance(env, QuarterHourlyEnv):  # decides on steps, not on jobs
        return Played(stepwise_schedule(name, days, env.ev_level, env.start_step), {})
    return Played(env.schedule(name), _decisions(env, log_probs, days))


def trial_costs(
    training: Training, stage: Stage, config: GridConfig
) -> Float[np.ndarray, "household day"]:
    """J_i of every trial day in EUR, private to each household."""
    days = trial_days(config, stage)
    played = play(training, stage, config, sample=config.policy_samples, days=days)
    return played.schedule.costs(stage.world.tariff).cost_eur.T.copy()


def daily_welfare(
    training: Training, stage: Stage, config: GridConfig
) -> Float[np.ndarray, " household"]:
    """-J_i of a held-out day in EUR, as learned policies play it."""
    played = [play(training, stage, config, sample=s) for s in range(WELFARE_PLAYS)]
    costs = [each.schedule.costs(stage.world.tariff).cost_eur.mean(axis=0) for each in played]
    return -np.mean(costs, axis=0)


def _decisions(
    env: SchedulingEnv | InTurnEnv, log_probs: Float[torch.Tensor, "T E N"], days: Days
) -> dict[str, np.ndarray]:
    """Of the last decision about each job: plan taken, its probability, how many there were."""
    jobs = days.jobs
    step = jobs.arrival_step // STEPS_PER_HOUR
    chosen, count = env.chosen, env.num_plans
    if isinstance(env, InTurnEnv):
        last = env.last_decision
        step, chosen, count = env.turns.turn[last], chosen[last], count[last]
    probability = log_probs.exp().numpy(force=True)[step, jobs.day, jobs.household]
    return {"chosen": chosen.copy(), "probability": probability.astype(float), "num_plans": count}


def schedules_of(result: Checkpoint, days: Days) -> list[Schedule]:
    """The reference schedules of a result, by name."""
    names = [key.removesuffix("/job_kw") for key in result.tensors if key.endswith("/job_kw")]
    return [
        Schedule.of_jobs(
            name,
            days,
            result.tensors[f"{name}/job_kw"].double().numpy(),
            result.tensors[f"{name}/delay_eur"].numpy(),
        )
        for name in sorted(names)
    ]


def plays_of(result: Checkpoint, name: str, days: Days) -> list[Schedule]:
    """The plays of a learned policy."""
    pairs = zip(result.tensors["job_kw"], result.tensors["delay_eur"], strict=True)
    return [Schedule.of_jobs(name, days, kw.double().numpy(), eur.numpy()) for kw, eur in pairs]
