"""Options that every command which starts a run has, worded once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]


def seed_option(command: Command) -> Command:
    """`--seed`."""
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        envvar="SS_SEED",
        show_default="0",
        help="The same seed gives the same run.",
    )(command)


def out_option(command: Command) -> Command:
    """`--out`."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="SS_OUT",
        default=Path("runs"),
        show_default=True,
        help="Folder in which the run directory is made.",
    )(command)


def resume_option(command: Command) -> Command:
    """`--resume`."""
    return click.option(
        "--resume",
        metavar="auto|never|PATH",
        envvar="SS_RESUME",
        default="auto",
        show_default=True,
        help="Continue an interrupted run of the same settings, never, or the run at PATH.",
    )(command)


def output_options(command: Command) -> Command:
    """`--device`, `--json`, `--quiet` and `--dry-run`."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Show the resolved settings and stop."),
        click.option("--quiet", is_flag=True, help="No progress on stderr."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout."),
        click.option(
            "--device", metavar="cpu|cuda[:N]", envvar="SS_DEVICE", help="Where tensors live."
        ),
    ):
        command = option(command)
    return command
