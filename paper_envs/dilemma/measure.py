"""From the name of a task, or of a group of them, to Schelling diagrams."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from paper_envs.dilemma.plays import ROLES, WITHOUT, Roles, returns_of, roles_of
from paper_envs.dilemma.schelling import Diagram, schelling_diagram
from paper_envs.tasks import TASKS, task_named
from ss_core.errors import ConfigError
from ss_core.random_streams import Stream, numpy_generator


def _group_of(task: str) -> str:
    return "paper" if TASKS[task].in_paper else "small"


GROUPS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {  # what may share a picture: the paper's tasks, or their small variants
        group: tuple(name for name in ROLES if _group_of(name) == group)
        for group in ("paper", "small")
    }
)
FEWEST_AGENTS = 2

Progress = Callable[[str, float, float, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDiagram:
    """A diagram and what it is of: a task by scripts, or a game by what was learned in it."""

    name: str
    title: str
    group: str  # what may share a picture
    roles: Roles
    num_agents: int
    episodes: int  # per number of cooperators
    diagram: Diagram


def tasks_of(name: str) -> tuple[str, ...]:
    """The tasks of a group, or the one of that name.

    Raises:
        ConfigError: no such group or task.
    """
    if name in GROUPS:
        return GROUPS[name]
    if name not in TASKS:
        near = difflib.get_close_matches(name, [*GROUPS, *ROLES], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(
            f"--diagram {name}: {hint}It takes {', '.join(ROLES)}, or {' or '.join(GROUPS)}"
        )
    return (name,)


def left_out_of(name: str) -> dict[str, str]:
    """Tasks that a group would have if they had a diagram, and why they have none."""
    return {task: why for task, why in WITHOUT.items() if name == _group_of(task)}


def measure(
    name: str,
    *,
    num_agents: int | None = None,
    episodes: int,
    seed: int = 0,
    progress: Progress,
) -> TaskDiagram:
    """Play a task with every number of cooperators; `num_agents` None means the headline number.

    Raises:
        ConfigError: no such task, none with cooperation, or too few or too many agents.
    """
    task, roles = task_named(name), roles_of(name)
    count = task.num_agents if num_agents is None else num_agents
    if count < FEWEST_AGENTS:
        raise ConfigError(f"{name} with {count} agents: a dilemma needs at least {FEWEST_AGENTS}")
    returns = []
    for cooperators in range(count + 1):
        progress(name, cooperators, count + 1, f"{cooperators} of {count} cooperate")
        returns.append(
            returns_of(name, cooperators, num_agents=count, episodes=episodes, seed=seed)
        )
    diagram = schelling_diagram(returns, rng=numpy_generator(seed, Stream.BOOTSTRAP))
    progress(name, count + 1, count + 1, "")
    return TaskDiagram(
        name=task.name,
        title=task.title,
        group=_group_of(task.name),
        roles=roles,
        num_agents=count,
        episodes=episodes,
        diagram=diagram,
    )
