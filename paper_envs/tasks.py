"""The tasks by name: what `ss bench`, `ss train` and `ss watch` can be given.

Cheap to import: an environment's module is loaded when it is made.
"""

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ss_core.errors import ConfigError

if TYPE_CHECKING:
    from ss_core.env import VectorEnv


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of the paper, or a small variant of one."""

    name: str
    title: str
    summary: str
    target: str  # module:class, called with (num_envs, num_agents=…, device=…)
    num_agents: int  # of the headline experiment
    agent_counts: tuple[int, int]  # fewest, most
    horizon: int  # steps per episode
    has_cooperation: bool  # whether an action can be told to be cooperative (IMR needs it)
    in_paper: bool = True  # False: a small variant, never in one table with the paper's
    published_episodes: int | None = None  # of training in the paper; None: not a task of it


_TASKS = (
    Task(
        name="cleanup",
        title="Cleanup 11×18",
        summary="apples grow while the river is clean; cleaning earns nothing",
        target="paper_envs.grid.env:CleanupEnv",
        num_agents=4,
        agent_counts=(1, 44),  # as many as the map has room for
        horizon=100,
        has_cooperation=True,
        published_episodes=50_000,
    ),
    Task(
        name="cleanup-small",
        title="Cleanup, small",
        summary="Cleanup on a small map, quick to learn",
        target="paper_envs.grid.env:SmallCleanupEnv",
        num_agents=3,
        agent_counts=(1, 4),
        horizon=50,
        has_cooperation=True,
        in_paper=False,
    ),
    Task(
        name="harvest",
        title="Harvest 7×38",
        summary="apples grow back only beside other apples",
        target="paper_envs.grid.env:HarvestEnv",
        num_agents=4,
        agent_counts=(1, 112),
        horizon=100,
        has_cooperation=True,
        published_episodes=50_000,
    ),
    Task(
        name="harvest-small",
        title="Harvest, small",
        summary="Harvest on a small map, quick to learn",
        target="paper_envs.grid.env:SmallHarvestEnv",
        num_agents=3,
        agent_counts=(1, 4),
        horizon=100,
        has_cooperation=True,
        in_paper=False,
    ),
    Task(
        name="navigation",
        title="Cooperative Navigation 5×5",
        summary="every agent to its own landmark, without collisions",
        target="paper_envs.navigation:NavigationEnv",
        num_agents=3,
        agent_counts=(1, 8),
        horizon=100,
        has_cooperation=False,
        published_episodes=20_000,
    ),
    Task(
        name="predation",
        title="Cooperative Predation",
        summary="approach the prey together, or let the others do it",
        target="paper_envs.predation:PredationEnv",
        num_agents=8,
        agent_counts=(2, 64),
        horizon=30,
        has_cooperation=True,
        published_episodes=30_000,
    ),
)

TASKS: dict[str, Task] = {task.name: task for task in _TASKS}


def task_named(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigError: there is none; the nearest name is given.
    """
    if name in TASKS:
        return TASKS[name]
    near = difflib.get_close_matches(name, TASKS, n=1)
    hint = f": did you mean {near[0]!r}? Known" if near else "; known"
    raise ConfigError(f"no task {name!r}{hint}: {', '.join(TASKS)}")


def make_env(
    name: str,
    num_envs: int,
    *,
    num_agents: int | None = None,
    device: str = "cpu",
    options: Mapping[str, str] | None = None,
) -> "VectorEnv":
    """`num_envs` copies of a task; `num_agents` None means the headline number.

    `options` are further arguments of the environment's class, such as Predation's `encoding`.

    Raises:
        ConfigError: no such task, or a number of agents that it cannot have.
    """
    task = task_named(name)
    count = task.num_agents if num_agents is None else num_agents
    fewest, most = task.agent_counts
    if not fewest <= count <= most:
        raise ConfigError(f"{name} with {count} agents: it takes {fewest} to {most}")
    module, _, attribute = task.target.partition(":")
    env: VectorEnv = getattr(importlib.import_module(module), attribute)(
        num_envs, num_agents=count, device=device, **(options or {})
    )
    return env
