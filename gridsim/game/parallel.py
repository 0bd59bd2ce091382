"""The scheduling game for other people's learners: a PettingZoo `ParallelEnv`.

One day per episode, a function of the seeds alone: what was played before leaves no trace, for the
public forecast rests on days of uncontrolled load and does not change.
"""

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from jaxtyping import Float

from gridsim.game.env import SchedulingEnv, World
from gridsim.game.in_turn import InTurnEnv
from gridsim.game.plans import MOST_PLANS
from gridsim.game.quarter_hourly import QuarterHourlyEnv
from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.forecast import LoadHistory, day_regressors, empty_history, remember
from gridsim.households.households import Days, HouseholdConfig, draw_population
from gridsim.households.outlook import Outlook
from gridsim.households.profiles import load_profiles
from gridsim.households.schedules import candidate_schedules
from ss_core.errors import ConfigError
from ss_core.random_streams import Stream, numpy_generator

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv

Variant = Literal["in_turn", "per_job", "quarter_hourly"]

HISTORY_DAYS = 32
_KEEP = 1.0  # decay that leaves a history as it is


def parallel_env(
    households: int = 10,
    *,
    seed: int = 0,
    variant: Variant = "in_turn",
    num_actions: int = 8,
    household_config: HouseholdConfig | None = None,
    tariff_config: TariffConfig | None = None,
) -> "ParallelEnv":
    """Households of one feeder; `seed` draws who they are, `reset(seed=…)` the day they live.

    `in_turn`: 144 turns, one of `num_actions` plans for the rest of the job of whose turn it is
    (`gridsim/game/in_turn.py`). `per_job`: 24 steps, one of `num_actions` schedules for the job
    that came (`gridsim/game/env.py`). `quarter_hourly`: 96 steps, charging level and starts
    (`gridsim/game/quarter_hourly.py`). Legal actions are in `infos[agent]["action_mask"]`.

    Raises:
        ConfigError: no household, fewer than two actions, more than there are plans in turn, a
            negative seed, an unknown variant, or one that knows no photovoltaics.
    """
    from ss_core.adapters.pettingzoo import (
        ParallelFromVector,  # here: only who asks for PettingZoo pays
    )

    if variant not in get_args(Variant):
        raise ConfigError(f"variant={variant!r}: choose in_turn, per_job or quarter_hourly")
    if variant == "in_turn" and num_actions > MOST_PLANS:
        raise ConfigError(
            f"num_actions={num_actions}: variant='in_turn' has rules for {MOST_PLANS} plans"
        )
    config = household_config or HouseholdConfig()
    if variant != "in_turn" and config.pv_ownership > 0.0:
        raise ConfigError(
            f"variant={variant!r}: knows no photovoltaics and no batteries; use variant='in_turn', "
            "or pv_ownership=0"
        )
    world = _build_world(households, seed, num_actions, config, tariff_config)
    return ParallelFromVector(_env_of(world, variant, seed), f"scheduling_{variant}_v0")


def _env_of(
    world: World, variant: Variant, seed: int
) -> InTurnEnv | SchedulingEnv | QuarterHourlyEnv:
    if variant == "in_turn":
        outlook = uncontrolled_outlook(world, seed)
        return InTurnEnv(world, 1, history=outlook, history_decay=_KEEP)
    history = uncontrolled_history(world, seed)
    if variant == "per_job":
        return SchedulingEnv(world, 1, history=history, history_decay=_KEEP)
    return QuarterHourlyEnv(world, 1, history=history, history_decay=_KEEP)


def uncontrolled_history(world: World, seed: int, num_days: int = HISTORY_DAYS) -> LoadHistory:
    """What past days look like when every job starts at once."""
    days, at_once_kw = _uncontrolled(world, seed, num_days)
    load_kw = days.base_kw.copy()
    np.add.at(load_kw, (days.jobs.day, days.jobs.household), at_once_kw)
    regressors = day_regressors(days.temperature_c, days.is_weekend)
    return remember(empty_history(), load_kw.mean(axis=1), regressors, 0.0)


def uncontrolled_outlook(world: World, seed: int, num_days: int = HISTORY_DAYS) -> Outlook:
    """The outlook of `in_turn` after the same days."""
    outlook = Outlook.empty(with_sun=world.population.has_pv)
    return outlook.after(*_uncontrolled(world, seed, num_days), 0.0)


def _uncontrolled(
    world: World, seed: int, num_days: int
) -> tuple[Days, Float[np.ndarray, "job step"]]:
    """Past days, and the load of every job of theirs when it starts at once."""
    rng = numpy_generator(seed, Stream.PAST_DAYS)
    days = world.draw(num_days, rng)
    return days, candidate_schedules(days, 2).load_kw[:, 0]


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
        tariff=build_tariff(tariff_config or TariffConfig(), config.first_hour),
        num_actions=num_actions,
    )
