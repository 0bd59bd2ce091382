"""`ss bench strength`: how strong the dilemma of a game is for learners."""

from pathlib import Path
from typing import Any

import click

from cli.app import CONTEXT_SETTINGS, debug_option, example
from cli.commands.train import env_arguments
from cli.options import workers_option
from cli.worlds import WORLDS


@click.command(
    "strength",
    short_help="How strong a dilemma selfish learners are in.",
    epilog=example("ss bench strength predation --levels 2 --seeds 2"),
    context_settings=CONTEXT_SETTINGS,
)
@click.argument("env", metavar="TASK|MODULE:FUNCTION")
@click.option(
    "--agents",
    type=click.IntRange(2, 5000),
    show_default="the paper's",
    help="Number of agents, of a TASK.",
)
@click.option(
    "--env-arg",
    "env_args",
    multiple=True,
    metavar="KEY=VALUE",
    callback=env_arguments,
    help="An argument of the function that makes the environment.",
)
@click.option(
    "--levels",
    type=click.IntRange(1, 50),
    default=6,
    show_default=True,
    help="Steps from handing over nothing to sharing equally.",
)
@click.option(
    "--seeds", type=click.IntRange(2, 10), default=5, show_default=True, help="Per level."
)
@click.option(
    "--updates",
    type=click.IntRange(1, 10**9),
    show_default="200",
    help="How often the agents learn.",
)
@workers_option("Trainings at a time, each in a process with one thread.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("bench") / "strength",
    show_default=True,
    help="Folder of the benchmark; trainings that are finished in there are kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
def strength(
    env: str,
    agents: int | None,
    env_args: dict[str, Any],
    levels: int,
    seeds: int,
    updates: int | None,
    workers: int | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """How much of each reward selfish learners must hand over before they cooperate.

    Trains reward transfer at several levels, from selfish to equal sharing. May be stopped at any
    time: the same command goes on with what is not finished.
    """
    from cli.render import Progress, print_result
    from paper_envs.training.config import resolve
    from ss_core.experiments.strength import (
        SEEDS,
        conclude,
        condition,
        settings,
        shares_handed_over,
    )
    from ss_core.scenario.short_runs import ANY_WORLD, ShortRun, run_bench

    own = {"env": env, "agents": agents, "env_args": env_args or None, "updates": updates}
    own = {name: value for name, value in own.items() if value is not None}
    config = resolve("tuned", {**own, **settings(0.0)})
    shares, used = shares_handed_over(config.num_agents, levels), SEEDS[:seeds]
    short_runs = [
        ShortRun(
            condition(share),
            seed,
            ANY_WORLD,
            {
                "scenario": WORLDS["train"].scenario,
                "settings": own | settings(share) | {"seed": seed},
            },
        )
        for seed in used
        for share in shares
    ]
    with Progress(quiet=quiet) as progress:
        result = run_bench(
            short_runs,
            out,
            workers or 2,
            progress,
            lambda found: conclude(env, shares, used, found) | {"run_dir": str(out)},
            file="strength.json",
        )
    print_result(result, as_json=as_json)
