"""Policies on the road: which environment a run has, learners in it, and days driven by them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import collect_rollout
from ss_core.random_streams import Stream, drawn_seed, torch_generator
from ss_core.training.loop import Training
from trafficsim.link_model.model import FEW_VEHICLES
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.en_route import EnRouteEnv
from trafficsim.routing.env import RoutingEnv
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.joint import JointEnv, drive_jointly
from trafficsim.routing.modelled import ModelledRoutingEnv
from trafficsim.sumo.recording import Recording
from trafficsim.sumo.simulation import Order, Outcome, Simulator


@dataclass(frozen=True, slots=True)
class Driven:
    """Days driven with the stochastic policies, not learned."""

    actions: Int[ndarray, "day N"]
    times_s: Float[ndarray, "day vehicle"]
    outcomes: list[Outcome]
    first_day: Recording | None = None  # where it cannot be simulated again
    first_orders: Sequence[Order] = ()  # of drivers who decided on the way


def build_env(
    config: RoutingConfig,
    learner: LearnerConfig,
    game: RoutingGame,
    simulator: Simulator,
    num_envs: int,
    *,
    remembers: bool = True,
) -> RoutingEnv | EnRouteEnv | JointEnv:
    """The environment of the configured form of decisions."""
    if config.signals:
        return JointEnv(
            game, num_envs, num_neighbours=config.neighbours, across=config.signals_suggest
        )
    if config.en_route:
        return EnRouteEnv(
            game,
            simulator,
            num_envs,
            num_neighbours=config.neighbours,
            slice_s=config.decide_every_s,
            remembers=remembers,
        )
    return RoutingEnv(
        game,
        simulator,
        num_envs,
        num_neighbours=config.neighbours,
        described=learner.architecture == "shared",
        remembers=remembers,
    )


def drive(
    training: Training,
    config: RoutingConfig,
    simulator: Simulator,
    seeds: Sequence[int],
    actions: Stream,
) -> tuple[Int[ndarray, "day N"], Float[ndarray, "day vehicle"], list[Outcome]]:
    """Actions, travel times, outcomes of days driven with the stochastic policies, not learned."""
    days = drive_recorded(training, config, simulator, seeds, actions)
    return days.actions, days.times_s, days.outcomes


def drive_recorded(
    training: Training,
    config: RoutingConfig,
    simulator: Simulator,
    seeds: Sequence[int],
    actions: Stream,
) -> Driven:
    """As `drive`, and what is needed to know the first day in detail."""
    learning = training.env
    generator = torch_generator(training.seed, actions)
    if isinstance(learning, JointEnv):
        days = drive_jointly(learning, training.learner.actors, seeds, generator)
        outcomes = [each.outcome for each in days.recordings]
        return Driven(days.actions, days.times_s, outcomes, days.recordings[0])
    assert isinstance(learning, RoutingEnv | EnRouteEnv | ModelledRoutingEnv)
    learner = training.learner.config
    env = build_env(config, learner, learning.game, simulator, len(seeds), remembers=False)
    assert not isinstance(env, JointEnv)
    if not isinstance(learning, ModelledRoutingEnv):  # tables look at nothing
        env.speeds = learning.speeds
    env.fix_seeds(seeds)
    try:
        collect_rollout(
            env, training.learner.actors, seed=0, generator=generator, with_successors=False
        )
    finally:
        env.close()
    orders = env.first_orders if isinstance(env, EnRouteEnv) else ()
    return Driven(env.last_actions, env.last_times_s, env.last_outcomes, None, orders)


def first_choices(training: Training, actions: Int[ndarray, "day N"]) -> Float[torch.Tensor, "N K"]:
    """Chance of each alternative: by the policies, or how often taken where these decide often."""
    env = training.env
    if isinstance(env, EnRouteEnv):
        taken = np.eye(env.spec.num_actions)[actions]
        return torch.from_numpy(taken.mean(axis=0)).float()
    step = env.reset(0)
    with torch.no_grad():
        chances = training.learner.actors.own(step.observations, step.action_mask)[0].exp()
    if isinstance(env, JointEnv):
        return chances[: env.game.num_drivers, : env.game.num_options]
    return chances


def held_out_seeds(config: RoutingConfig) -> list[int]:
    """SUMO's seeds of the days that every row is scored on."""
    return [drawn_seed(config.seed, Stream.HELD_OUT_DAYS, day) for day in range(config.days)]


def trial_seeds(config: RoutingConfig) -> list[int]:
    """SUMO's seeds of the days that learners are compared on before one is recommended."""
    days = range(config.trial_days)
    return [drawn_seed(config.seed, Stream.TRIAL_DAYS, day) for day in days]


def num_neighbours(config: RoutingConfig, game: RoutingGame) -> int:
    """To how many of those who share roads with it a driver makes suggestions.

    In a town nearly all of what a driver does to others it does to a few of hundreds, other ones at
    each choice: a sum over eight of them, scaled to all, is noise.
    """
    is_town = len(game.od) > FEW_VEHICLES
    if not (config.link_model and is_town):
        return config.neighbours
    return max(config.neighbours, config.modelled.neighbours_in_towns)


def scaled_to_game(
    learner: LearnerConfig, config: RoutingConfig, game: RoutingGame
) -> LearnerConfig:
    """ρ' times (drivers that share a road with one) / (neighbours it receives from).

    m neighbours stand for all whom one's choice touches; others have no part in the game.
    """
    if not learner.scale_rho_follow:
        return learner
    sharers = float(game.shares().sum(axis=1).mean())
    senders = max(1.0, min(float(num_neighbours(config, game)), sharers))
    weights = replace(
        learner.objective, rho_follow=learner.objective.rho_follow * sharers / senders
    )
    return replace(learner, objective=weights, scale_rho_follow=False)


@contextmanager
def open_training(
    config: RoutingConfig, learner: LearnerConfig, game: RoutingGame, simulator: Simulator
) -> Iterator[Training]:
    """A learner before its first update; what its environment started ends with the block."""
    env: RoutingEnv | EnRouteEnv | JointEnv | ModelledRoutingEnv
    if config.link_model:
        env = ModelledRoutingEnv(
            game,
            simulator,
            learner.num_envs,
            num_neighbours=num_neighbours(config, game),
            config=config.modelled,
            seed=config.seed,
        )
    else:
        env = build_env(config, learner, game, simulator, learner.num_envs)
    try:
        yield Training.begin(learner, env, config.seed, config.device)
    finally:
        env.close()


def incidents_of(outcomes: Sequence[Outcome], days: int) -> Int[ndarray, " 3"]:
    """Teleports, vehicles in collisions and unfinished trips, summed over all days.

    One outcome stands for all days where nothing differs between them.
    """
    rows = [
        (int(each.teleports.sum()), each.collisions, int((~each.finished).sum()))
        for each in outcomes
    ]
    return np.array(rows).sum(axis=0) * (days // len(outcomes))


def curve_seeds(config: RoutingConfig) -> list[int]:
    """SUMO's seeds of the days that points of the learning curve are measured on."""
    days = range(config.evaluation_days)
    return [drawn_seed(config.seed, Stream.CURVE_DAYS, day) for day in days]
