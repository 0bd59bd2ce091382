"""The tasks of the paper for other people's learners: PettingZoo `ParallelEnv`s."""

from typing import TYPE_CHECKING

from paper_envs.tasks import make_env

if TYPE_CHECKING:
    from pettingzoo import ParallelEnv


def parallel_env(name: str, num_agents: int | None = None) -> "ParallelEnv":
    """A task by its name in `tasks.py`, as one `ParallelEnv`; None means the headline number.

    All agents act at every step and end together. Every action is legal at any time.

    Raises:
        ConfigError: no such task, or a number of agents that it cannot have.
    """
    from ss_core.adapters.pettingzoo import (
        ParallelFromVector,  # here: only who asks for PettingZoo pays
    )

    return ParallelFromVector(make_env(name, 1, num_agents=num_agents), f"{name}_v0")
