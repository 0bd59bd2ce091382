"""The scheduling game for other people's learners: a PettingZoo `ParallelEnv`.

One day per episode, a function of the seeds alone: what was played before leaves no trace, for the
public forecast rests on days of uncontrolled load and does not change.
"""

from typing import TYPE_CHECKING, Literal

import numpy as np

from gridsim.game.env import SchedulingEnv, World
from gridsim.game.quarter_hourly import QuarterHourlyEnv
from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.forecast import LoadHistory, day_regressors, empty_history, remember
from gridsim.households.households import HouseholdConfig, draw_days, draw_population
from gridsim.households.profiles import load_profiles
from gridsim.households.schedules import candidate_schedules
from ss_core.errors import ConfigError
from ss_core.random_streams import Stream, numpy_generator

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

Variant = Literal["per_job", "quarter_hourly"]

HISTORY_DAYS = 32
_KEEP = 1.0  # decay that leaves a history as it is


def parallel_env(
    households: int = 10,
    *,
    seed: int = 0,
    variant: Variant = "per_job",
    num_actions: int = 8,
    household_config: HouseholdConfig | None = None,
    tariff_config: TariffConfig | None = None,
) -> "ParallelEnv":
    """Households of one feeder; `seed` draws who they are, `reset(seed=…)` the day they live.

    `per_job`: 24 steps, one of `num_actions` schedules for the job that came
    (`gridsim/game/env.py`). `quarter_hourly`: 96 steps, charging level and starts
    (`gridsim/game/quarter_hourly.py`). Legal actions are in `infos[agent]["action_mask"]`.

    Raises:
        ConfigError: no household, fewer than two actions, a negative seed or an unknown variant.
    """
    from ss_core.adapters.pettingzoo import (
        ParallelFromVector,  # here: only who asks for PettingZoo pays
    )

    world = _build_world(
        households, seed, num_actions, household_config or HouseholdConfig(), tariff_config
    )
    history = uncontrolled_history(world, seed)
    if variant == "per_job":
        env = SchedulingEnv(world, 1, history=history, history_decay=_KEEP)
    elif variant == "quarter_hourly":
        env = QuarterHourlyEnv(world, 1, history=history, history_decay=_KEEP)
    else:
        raise ConfigError(f"variant={variant!r}: choose per_job or quarter_hourly")
    return ParallelFromVector(env, f"scheduling_{variant}_v0")


def uncontrolled_history(world: World, seed: int, num_days: int = HISTORY_DAYS) -> LoadHistory:
    """What past days look like when every job starts at once."""
    rng = numpy_generator(seed, Stream.PAST_DAYS)
    days = draw_days(world.households, world.profiles, world.population, num_days, rng)
    load_kw = days.base_kw.copy()
    at_once = candidate_schedules(days, 2).load_kw[:, 0]
    np.add.at(load_kw, (days.jobs.day, days.jobs.household), at_once)
    regressors = day_regressors(days.temperature_c, days.is_weekend)
    return remember(empty_history(), load_kw.mean(axis=1), regressors, 0.0)


def _build_world(
    households: int,
    seed: int,
    num_actions: int,
    config: HouseholdConfig,
    tariff_config: TariffConfig | None,
) -> World:
    if num_actions < 2:
        raise ConfigError(f"num_actions={num_actions}: a choice needs at least 2")
    if seed < 0:
        raise ConfigError(f"seed={seed}: use 0 or more")
    profiles, rng = load_profiles(), numpy_generator(seed, Stream.POPULATION)
    return World(
        profiles=profiles,
        population=draw_population(config, profiles, households, rng),
        households=config,
        tariff=build_tariff(tariff_config or TariffConfig()),
        num_actions=num_actions,
    )
