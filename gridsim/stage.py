"""What every part of a grid run plays on, and days played by learned policies.

A function of the configuration alone: population, held-out days, environments, learners.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.config import GridConfig
from gridsim.game.env import SchedulingEnv, World
from gridsim.game.joint_schedules import Schedule, stepwise_schedule
from gridsim.game.quarter_hourly import QuarterHourlyEnv
from gridsim.game.tariff import build_tariff
from gridsim.households.forecast import LoadHistory
from gridsim.households.households import Days, draw_days, draw_population
from gridsim.households.profiles import load_profiles
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import Rollout, collect_rollout
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
        profiles, population, config.population, build_tariff(config.tariff), config.num_actions
    )
    return Stage(world, _days(config, world, config.days, Stream.HELD_OUT_DAYS))


def past_days(config: GridConfig, stage: Stage) -> Days:
    """Days before the held-out ones, which a planner with a forecast has seen."""
    return _days(config, stage.world, PAST_DAYS, Stream.PAST_DAYS)


def _days(config: GridConfig, world: World, count: int, stream: Stream) -> Days:
    rng = numpy_generator(config.seed, stream)
    return draw_days(config.population, world.profiles, world.population, count, rng)


def build_training(config: GridConfig, learner: LearnerConfig, stage: Stage) -> Training:
    """A learner before its first update."""
    env = build_env(config, stage.world, learner.num_envs)
    return Training.begin(learner, env, config.seed, config.device)


def build_env(
    config: GridConfig,
    world: World,
    num_envs: int,
    days: Days | None = None,
    history: LoadHistory | None = None,
) -> SchedulingEnv | QuarterHourlyEnv:
    """The environment of the configured form of decisions."""
    if config.variant == "quarter_hourly":
        return QuarterHourlyEnv(world, num_envs, days=days, history=history)
    return SchedulingEnv(world, num_envs, days=days, history=history)


@dataclass(frozen=True, slots=True)
class Played:
    """One play of the held-out days."""

    schedule: Schedule
    decisions: Mapping[str, np.ndarray]  # [job]: candidate `chosen`, `probability` it had


def play(training: Training, stage: Stage, config: GridConfig, *, sample: int) -> Played:
    """Play the held-out days with the stochastic policies; nothing is exchanged or learned."""
    history = training.env.history  # type: ignore[attr-defined]
    env = build_env(config, stage.world, 0, stage.held_out, history)
    generator = torch_generator(config.seed, Stream.PLAYED_ACTIONS, sample)
    rollout = collect_rollout(
        env, training.learner.actors, seed=0, generator=generator, with_successors=False
    )
    name = training.learner.config.algorithm
    if isinstance(env, QuarterHourlyEnv):  # decides on steps, not on jobs
        return Played(stepwise_schedule(name, stage.held_out, env.ev_level, env.start_step), {})
    probability = _probabilities(rollout, stage.held_out)
    return Played(env.schedule(name), {"chosen": env.chosen.copy(), "probability": probability})


def daily_welfare(
    training: Training, stage: Stage, config: GridConfig
) -> Float[np.ndarray, " household"]:
    """-J_i of a held-out day in EUR, as learned policies play it."""
    played = [play(training, stage, config, sample=s) for s in range(WELFARE_PLAYS)]
    costs = [each.schedule.costs(stage.world.tariff).cost_eur.mean(axis=0) for each in played]
    return -np.mean(costs, axis=0)


def _probabilities(rollout: Rollout, days: Days) -> Float[np.ndarray, " job"]:
    log_probs = rollout.log_probs.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
    hour = days.jobs.arrival_step // 4
    return log_probs.exp().numpy(force=True)[hour, days.jobs.day, days.jobs.household].astype(float)


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
