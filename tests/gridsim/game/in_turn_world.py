"""A small population for tests of the game in turn, and days of it."""

from functools import cache

import numpy as np
import torch

from gridsim.game.env import World
from gridsim.game.in_turn import InTurnEnv
from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.days import draw_days
from gridsim.households.households import Days, HouseholdConfig, draw_population
from gridsim.households.outlook import Outlook
from gridsim.households.profiles import load_profiles
from ss_core.env import Step

N, A = 6, 8


@cache
def small_world() -> World:
    profiles, config = load_profiles(), HouseholdConfig()
    population = draw_population(config, profiles, N, np.random.default_rng(3))
    return World(profiles, population, config, build_tariff(TariffConfig()), A)


@cache
def seen_outlook() -> Outlook:
    """What a few days of random play leave behind."""
    env = InTurnEnv(small_world(), 8)
    for seed in range(2):
        play(env, seed)
    return env.history


def some_days(num_days: int, seed: int) -> Days:
    world, rng = small_world(), np.random.default_rng(seed)
    return draw_days(world.households, world.profiles, world.population, num_days, rng)


def env_of(days: Days, **settings: object) -> InTurnEnv:
    return InTurnEnv(small_world(), 0, days=days, history=seen_outlook(), **settings)  # pyright: ignore[reportArgumentType]


def play(env: InTurnEnv, seed: int) -> list[Step]:
    """Days of legal actions at random."""
    generator = torch.Generator().manual_seed(seed)
    steps = [env.reset(seed)]
    for _ in range(env.spec.horizon):
        mask = steps[-1].action_mask
        assert mask is not None
        drawn = torch.multinomial(mask.double().flatten(0, 1), 1, generator=generator)
        steps.append(env.step(drawn.view(mask.shape[:2])))
    return steps
