"""Suggestion Sharing: learner, exchange and record. Knows tensors and agents, no domain."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ss_core.analysis.run import Run

__all__ = ["open_run", "train"]


def train(env: str | Callable[..., Any], **settings: Any) -> "Run":
    """Train the agents of an environment as `ss train` does; what it leaves, opened.

        >>> run = ss_core.train("predation", updates=20)
        >>> run = ss_core.train(my_game.make_env, updates=160, compare=["centralised"])

    Args:
        env: a task that `ss envs` lists, or a function that returns a PettingZoo environment,
            itself or by name as `module:function`; `env_args` are its arguments.
        settings: of `ss train` and `--set`, by name; and the arguments of
            `ss_core.scenario.front_door.run_world`: `preset`, `out`, `resume`, `report` and
            `progress`.

    Raises:
        ConfigError, InputError: unknown settings, values or environments; nothing was written.
    """
    from ss_core.scenario.front_door import run_world, target_of

    return run_world(
        "paper_envs.training.scenario:SCENARIO",  # by name, as child processes find it
        "paper_envs.training.page:run_summary",
        arguments={"env": target_of(env)},
        **settings,
    )


def open_run(path: str | Path) -> "Run":
    """The run in a folder, of any world and finished or not.

    Raises:
        InputError: there is no run.
        CorruptError: its manifest does not hold together.
    """
    from ss_core.analysis.run import Run

    return Run(path)
