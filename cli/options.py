"""Options that every command which starts a run has, worded once."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

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


class Number(click.FloatRange):
    """A finite number within bounds; the one type of options that take numbers.

    `click.FloatRange` lets NaN pass, which is neither below nor above any bound.
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number.

        Raises:
            click.BadParameter: none, not finite, or out of bounds.
        """
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number; give {self._describe_range()}.", param, ctx)
        return super().convert(number, param, ctx)


class NumberOrAuto(click.ParamType):
    """A number within bounds, or the word auto."""

    name = "number"

    def __init__(self, low: float, high: float) -> None:
        self._range = Number(low, high)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        """Auto as it is; anything else as a number.

        Raises:
            click.BadParameter: neither.
        """
        if value == "auto":
            return "auto"
        try:
            return self._range.convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message} Or say auto.", param, ctx)


class AlgorithmType(click.ParamType):
    """The name of an algorithm, or somebody's own as module:ALGORITHM."""

    name = "algorithm"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        from ss_core.algorithms.names import name_problem

        problem = name_problem(str(value))
        if problem:
            self.fail(problem, param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _algorithms(ctx, param, incomplete)


def algorithm_option(*, is_usage: bool) -> Callable[[Command], Command]:
    """`--algorithm`; an unknown name is an error of usage, or one of settings."""
    return click.option(
        "--algorithm",
        type=AlgorithmType() if is_usage else str,
        metavar="NAME|MODULE:ALGORITHM",
        envvar="SS_ALGORITHM",
        show_default="ss",
        help="Learning algorithm: a name that `ss algorithms` lists, or a record of your own.",
    )


def _algorithms(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ss_core.algorithms.names import ALGORITHM_LABELS

    return [CompletionItem(name) for name in ALGORITHM_LABELS if name.startswith(incomplete)]


def date_option(command: Command) -> Command:
    """`--date`."""
    return click.option(
        "--date",
        metavar="YYYY-MM-DD",
        envvar="SS_DATE",
        help="Of day 0, the next days follow: tables get calendar times.",
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
            "--device", metavar="cpu|cuda[:N]", envvar="SS_DEVICE", help="Device for training."
        ),
    ):
        command = option(command)
    return command


def settings_options(command: Command) -> Command:
    """`--config` and `--set`."""
    for option in (
        click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Any setting, by its dotted name.",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            envvar="SS_CONFIG",
            help="Settings in TOML; ./ss.toml is read when there is one.",
        ),
    ):
        command = option(command)
    return command


def preset_option(*choices: str, means: str) -> Callable[[Command], Command]:
    """`--preset`, one of `choices`; the first is the default."""
    return click.option(
        "--preset",
        type=click.Choice(choices),
        envvar="SS_PRESET",
        show_default=choices[0],
        help=f"Hyper-parameters: {means}.",
    )


def budget_option(example: str) -> Callable[[Command], Command]:
    """`--budget`."""
    return click.option(
        "--budget",
        metavar="LENGTH",
        envvar="SS_BUDGET",
        help=f"How long to train: {example}.",
    )


def workers_option(means: str) -> Callable[[Command], Command]:
    """`--workers`."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 256),
        envvar="SS_WORKERS",
        show_default="2",
        help=means,
    )


def trace_option(command: Command) -> Command:
    """`--trace`."""
    return click.option(
        "--trace",
        type=click.Choice(["off", "kpi", "agent", "full"]),
        envvar="SS_TRACE",
        help="How much is recorded.",
    )(command)


def bench_options(
    name: str,
    *,
    how_much: str,
    each: str,
    kept: str,
    profiles: Sequence[str] = ("smoke", "quick", "full"),
) -> Callable[[Command], Command]:
    """`--profile`, `--workers`, `--out`, `--json` and `--quiet` of the benchmark `name`."""

    def decorate(command: Command) -> Command:
        for option in (
            click.option("--quiet", is_flag=True, help="No progress on stderr."),
            click.option(
                "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
            ),
            click.option(
                "--out",
                type=click.Path(path_type=Path, file_okay=False),
                show_default=f"bench/{name}-<profile>",
                help=f"Folder of the benchmark; {kept} kept.",
            ),
            click.option(
                "--workers",
                type=click.IntRange(1, 256),
                envvar="SS_WORKERS",
                default=2,
                show_default=True,
                help=f"{each} at a time, each in a process with one thread.",
            ),
            click.option(
                "--profile",
                type=click.Choice(profiles),
                envvar="SS_PROFILE",
                default="quick",
                show_default=True,
                help=f"How much is run: {how_much} (on two cores).",
            ),
        ):
            command = option(command)
        return command

    return decorate


LIES = (
    "selfish",
    "contrary",
    "random",
    "constant",
    "collude",
    "silent",
    "malformed",
    "stale",
    "flood",
)
OPTIONS_OF_TRUST = ("liars", "lie", "trust")  # names of the settings


def trust_options(command: Command) -> Command:
    """`--liars`, `--lie` and `--trust`."""
    for option in (
        click.option(
            "--trust/--no-trust",
            default=False,
            envvar="SS_TRUST",
            help="Down-weight senders whose suggestions deviate far more than others' do.",
        ),
        click.option(
            "--lie",
            type=click.Choice(LIES),
            envvar="SS_LIE",
            show_default="selfish",
            help="What liars send instead of the truth.",
        ),
        click.option(
            "--liars",
            type=Number(0, 1),
            envvar="SS_LIARS",
            metavar="SHARE",
            show_default="0",
            help="Share of agents that lie to the others, drawn by the seed.",
        ),
    ):
        command = option(command)
    return command


def report_option(command: Command) -> Command:
    """`--report`: the page at the end."""
    return click.option(
        "--report/--no-report",
        default=True,
        show_default=True,
        help="Write report.html into the run directory.",
    )(command)


def engine_options(command: Command) -> Command:
    """`--engine` and `--address`: where processes are started."""
    command = click.option(
        "--address",
        metavar="ADDRESS",
        show_default="RAY_ADDRESS, or a cluster of this machine",
        help="Of the Ray cluster to join.",
    )(command)
    return click.option(
        "--engine",
        "--launcher",
        "engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="Processes of this machine, or a Ray cluster; results do not depend on it.",
    )(command)


class RunFolder(click.Path):
    """A run directory; completion offers the runs below what was typed, or below runs/."""

    name = "run"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        roots = [Path("runs")] if not incomplete else []
        typed = Path(incomplete) if incomplete else Path()
        parent = typed if incomplete.endswith("/") else typed.parent
        found = {
            str(path.parent)
            for root in (*roots, parent)
            for path in root.glob("*/manifest.json")
            if str(path.parent).startswith(incomplete)
        }
        known = [CompletionItem(name) for name in sorted(found)]
        return known or super().shell_complete(ctx, param, incomplete)


RUN_FOLDER = RunFolder()
