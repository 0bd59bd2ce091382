"""`ss train`: a task of the paper, or any PettingZoo environment with discrete actions."""

from typing import Any

import click

from cli.app import debug_option
from cli.options import (
    OPTIONS_OF_TRUST,
    out_option,
    output_options,
    report_option,
    resume_option,
    seed_option,
    trust_options,
)
from cli.settings import from_assignments, from_environment, from_options
from ss_core.errors import ConfigError

OPTIONS_OF_THE_RUN = (
    "algorithm",
    "preset",
    "agents",
    "updates",
    "episodes_per_update",
    "horizon",
    "seed",
    "trace",
    "device",
    *OPTIONS_OF_TRUST,
)


@click.command("train")
@click.argument("env", metavar="TASK|MODULE:FUNCTION")
@click.option(
    "--algorithm",
    metavar="NAME|MODULE:ALGORITHM",
    envvar="SS_ALGORITHM",
    show_default="ss",
    help="Who learns from what: see `ss algorithms`; or a record of your own.",
)
@click.option(
    "--agents",
    type=click.IntRange(1, 5000),
    envvar="SS_AGENTS",
    show_default="the paper's",
    help="Number of agents, of a TASK.",
)
@click.option(
    "--updates",
    type=click.IntRange(1, 10**9),
    envvar="SS_UPDATES",
    show_default="200",
    help="How often the agents learn.",
)
@click.option(
    "--episodes-per-update",
    type=click.IntRange(1, 10**6),
    envvar="SS_EPISODES_PER_UPDATE",
    show_default="16; 1 under --preset paper",
    help="Episodes played between two updates.",
)
@click.option(
    "--horizon",
    type=click.IntRange(1, 10**6),
    envvar="SS_HORIZON",
    show_default="seen in random episodes",
    help="Steps after which an episode is cut, of a MODULE:FUNCTION.",
)
@click.option(
    "--env-arg",
    "env_args",
    multiple=True,
    metavar="KEY=VALUE",
    help="An argument of the function that makes the environment.",
)
@seed_option
@out_option
@resume_option
@click.option(
    "--preset",
    type=click.Choice(["tuned", "paper"]),
    envvar="SS_PRESET",
    show_default="tuned",
    help="Hyper-parameters: ours, or the paper's.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting, by its dotted name: --dry-run lists them.",
)
@click.option(
    "--trace",
    type=click.Choice(["off", "kpi", "agent", "full"]),
    envvar="SS_TRACE",
    show_default="agent",
    help="How much is recorded.",
)
@trust_options
@output_options
@report_option
@debug_option
@click.pass_context
def train(ctx: click.Context, /, **options: Any) -> None:
    """Train the agents of an environment, and play held-out episodes before and after.

    TASK is a name that `ss envs` lists. MODULE:FUNCTION is any function that returns a PettingZoo
    ParallelEnv with discrete actions, your own code included: `ss train my_game:make_env` where
    my_game.py lies.
    """
    from cli.commands.runs.report import with_report
    from cli.render import Progress, print_result
    from paper_envs.training.scenario import train_from_cli

    request = build_request(ctx, options)
    with Progress(quiet=options["quiet"]) as progress:
        result = train_from_cli(request, progress)
    result = with_report(result, wanted=options["report"])
    print_result(result, as_json=options["as_json"])


def build_request(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """What `paper_envs.training.scenario.train_from_cli` needs, as plain values.

    `overrides` holds only what somebody set, by dotted name, `origins` who set it.
    """
    settings = from_assignments(options["assignments"]).over(
        from_options(ctx, OPTIONS_OF_THE_RUN).over(from_environment(OPTIONS_OF_THE_RUN))
    )
    return {
        "env": options["env"],
        "env_args": env_arguments(options["env_args"]),
        "overrides": dict(settings.values),
        "origins": dict(settings.origins),
        "out": str(options["out"]),
        "resume": options["resume"],
        "dry_run": options["dry_run"],
    }


def env_arguments(texts: tuple[str, ...]) -> dict[str, Any]:
    """Arguments of repeated `--env-arg KEY=VALUE`; VALUE is a TOML value, or else a string.

    Raises:
        ConfigError: an argument has no `=` or no usable name.
    """
    for text in texts:
        name, equals, _ = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ConfigError(f"--env-arg {text}: expected KEY=VALUE, as in max_cycles=25")
    return dict(from_assignments(texts).values)
