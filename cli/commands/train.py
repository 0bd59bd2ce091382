"""`ss train`: a task of the paper, or any PettingZoo game."""

from typing import Any

import click

from cli.app import example
from cli.run_command import run_command
from cli.settings import from_assignments
from ss_core.errors import ConfigError


def env_arguments(
    _: click.Context | None, __: click.Parameter | None, texts: tuple[str, ...]
) -> dict[str, Any]:
    """Arguments of repeated `--env-arg KEY=VALUE`; VALUE is a TOML value, or else a string.

    Raises:
        ConfigError: an argument has no `=` or no usable name.
    """
    for text in texts:
        name, equals, _value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(f"--env-arg {text}: expected KEY=VALUE, as in max_cycles=25")
    return dict(from_assignments(texts).values)


OPTIONS = (
    click.argument("env", metavar="TASK|MODULE:FUNCTION"),
    click.option(
        "--agents",
        type=click.IntRange(1, 5000),
        envvar="SS_AGENTS",
        show_default="the paper's",
        help="Number of agents, of a TASK.",
    ),
    click.option(
        "--updates",
        type=click.IntRange(1, 10**9),
        envvar="SS_UPDATES",
        show_default="200",
        help="How often the agents learn.",
    ),
    click.option(
        "--episodes-per-update",
        type=click.IntRange(1, 10**6),
        envvar="SS_EPISODES_PER_UPDATE",
        show_default="16; 1 under --preset paper",
        help="Episodes played between two updates.",
    ),
    click.option(
        "--horizon",
        type=click.IntRange(1, 10**6),
        envvar="SS_HORIZON",
        show_default="seen in random episodes",
        help="Steps after which an episode is cut, of a MODULE:FUNCTION.",
    ),
    click.option(
        "--compare",
        metavar="ALGORITHM,…",
        callback=lambda _, __, text: tuple(filter(None, (text or "").split(","))) or None,
        help="Algorithms to train beside: centralised,independent shows both ends.",
    ),
    click.option(
        "--env-arg",
        "env_args",
        multiple=True,
        metavar="KEY=VALUE",
        callback=env_arguments,
        help="An argument of the function that makes the environment.",
    ),
)
train = run_command(
    "train",
    "train",
    OPTIONS,
    short_help="Train in a task or in any PettingZoo game.",
    epilog=example("ss train predation --updates 20"),
    help="""Train the agents of an environment, and play held-out episodes before and after.

    TASK is a name that `ss envs` lists. MODULE:FUNCTION is any function that returns a PettingZoo
    ParallelEnv, or an AECEnv (a game in turns), your own code included: `ss train my_game:make_env`
    where my_game.py lies. Actions are Discrete, MultiDiscrete, MultiBinary or a Box of floats.
    """,
    arguments=("env",),
)
