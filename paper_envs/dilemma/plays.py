"""Agents who cooperate and agents who defect, played in the worlds that learners learn in.

They follow scripts, so a diagram says what these two ways of playing earn, not what the best of
all ways would.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from paper_envs.grid.env import GridEnv
from paper_envs.predation import PredationEnv
from paper_envs.scripted import Foragers, play
from paper_envs.tasks import make_env, task_named
from ss_core.errors import ConfigError
from ss_core.random_streams import Stream, drawn_seed

SPARED = 3  # apples around an apple without which those who spare leave it


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The two ways to play a task."""

    cooperates: str
    defects: str
    free_from: int = 0  # Harvest: step from which even those who spare eat all


_CLEANS = Roles(
    cooperates="cleans in one half of the episode, in turn with others, and eats in the other",
    defects="never cleans, eats the nearest apple",
)
_SPARES = f"leaves apples with fewer than {SPARED} around them until step {{}}"
_GREEDY = "eats the nearest apple"
ROLES: MappingProxyType[str, Roles] = MappingProxyType(
    {
        "cleanup": _CLEANS,
        "cleanup-small": _CLEANS,
        "harvest": Roles(cooperates=_SPARES.format(75), defects=_GREEDY, free_from=75),
        "harvest-small": Roles(cooperates=_SPARES.format(92), defects=_GREEDY, free_from=92),
        "predation": Roles(cooperates="approaches the prey", defects="goes away from the prey"),
    }
)
WITHOUT: MappingProxyType[str, str] = MappingProxyType(
    {
        "navigation": "no action of it costs oneself and helps the others, so that nobody "
        "cooperates or defects: a Schelling diagram has nothing to show"
    }
)


def roles_of(task: str) -> Roles:
    """What cooperating and defecting are in a task.

    Raises:
        ConfigError: no such task, or one in which no way to play is cooperating.
    """
    name = task_named(task).name
    if name in WITHOUT:
        raise ConfigError(f"{name}: {WITHOUT[name]}. Tasks that have one: {', '.join(ROLES)}")
    return ROLES[name]


def returns_of(
    task: str, cooperators: int, *, num_agents: int, episodes: int, seed: int
) -> Float[np.ndarray, "E N"]:
    """What everybody earns per episode if the first `cooperators` agents cooperate.

    Episodes with another number of cooperators are drawn independently.

    Raises:
        ConfigError: no such task, none with cooperation, or not for so many agents.
    """
    roles = roles_of(task)
    env = make_env(task, episodes, num_agents=num_agents)
    drawn = drawn_seed(seed, Stream.SCRIPTED_EPISODES, cooperators)
    if isinstance(env, PredationEnv):
        return _predation(env, cooperators, drawn)
    assert isinstance(env, GridEnv)
    if env.game.has_waste:
        script = Foragers(cleaners=cooperators, shift=env.spec.horizon // 2)
    else:
        script = Foragers(min_neighbours=SPARED, free_from=roles.free_from, restrained=cooperators)
    return play(env.game, script, num_agents=num_agents, episodes=episodes, seed=drawn)


def _predation(env: PredationEnv, cooperators: int, seed: int) -> Float[np.ndarray, "E N"]:
    env.reset(seed)
    earned = torch.zeros_like(env.positions, dtype=torch.double)
    for _ in range(env.spec.horizon):
        earned += env.step(_directions(env.positions, env.prey, cooperators)).rewards
    return earned.numpy(force=True)


def _directions(
    positions: Float[Tensor, "E N"], prey: Float[Tensor, " E"], cooperators: int
) -> Int[Tensor, "E N"]:
    """Right (1) or left (0): towards the prey for those who cooperate, away for the rest."""
    towards = positions <= prey[:, None]
    cooperates = torch.arange(positions.shape[1], device=positions.device) < cooperators
    return (towards == cooperates).long()
