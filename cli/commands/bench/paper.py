"""`ss bench`: the paper's comparisons, run again from nothing."""

from pathlib import Path
from typing import Any

import click

from cli.app import CONTEXT_SETTINGS, OrderedGroup, debug_option, example
from cli.commands.bench.privacy import privacy
from cli.commands.bench.strength import strength
from cli.commands.bench.trust import trust
from cli.options import Number, bench_options, engine_options


@click.group("bench", cls=OrderedGroup, context_settings=CONTEXT_SETTINGS)
def bench() -> None:
    """Run the comparisons of the paper again, and measure lies, leaks and dilemmas."""


@bench.command(
    "paper",
    short_help="The paper's experiments, and a verdict on its claims.",
    epilog=example("ss bench paper --profile smoke"),
    context_settings=CONTEXT_SETTINGS,
)
@bench_options(
    "paper",
    how_much="about a minute, an hour, three hours, weeks",
    each="Runs",
    kept="runs that are finished in there are",
    profiles=("smoke", "quick", "full", "literal"),
)
@click.option(
    "--max-hours",
    type=Number(0),
    metavar="HOURS",
    help="Stop after so long, evaluate what is unfinished and write the page; 0: only that.",
)
@click.option(
    "--env",
    "envs",
    metavar="NAME",
    multiple=True,
    help="Only this task of the profile; may be repeated.",
)
@click.option(
    "--algorithm",
    "algorithms",
    metavar="NAME",
    multiple=True,
    help="Only this algorithm of the profile; may be repeated.",
)
@click.option(
    "--preset",
    type=click.Choice(["paper", "tuned", "both"]),
    default="both",
    show_default=True,
    help="Hyper-parameters: as published, ours, or one after the other.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    show_default="5, smoke: 2, of 16 agents: 3",
    help="Runs of each condition.",
)
@click.option("--resume", is_flag=True, help="Continue what is in the folder; so it does anyway.")
@click.option(
    "--fresh", is_flag=True, help="Start anew beside it, in the first free of <out>, <out>-2, …"
)
@engine_options
@click.option(
    "--device",
    metavar="cpu|cuda[:N]",
    envvar="SS_DEVICE",
    default="cpu",
    show_default=True,
    help="Device for training.",
)
@click.option("--check", is_flag=True, help="Compare with the reference; exit code 7 if outside.")
@click.option(
    "--reference",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="the shipped one of the profile",
    help="Results to compare with; implies --check.",
)
@click.option(
    "--write-reference",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Store the results as a reference to compare with; two seeds at least.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be run and stop.")
@debug_option
def paper(resume: bool, fresh: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Run the experiments of the paper; write tables, figures and claims with their verdicts.

    May be stopped at any time: the same command continues where it was. The profile literal is the
    paper as printed, too long to be finished: at every stop its page tells how far it came.
    """
    from cli.commands.bench.progress import BenchProgress
    from cli.render import print_result
    from paper_envs.bench.launch import Request, run_from_cli, verdict

    if resume and fresh:
        raise click.UsageError("--resume and --fresh exclude each other")
    request = Request(fresh=fresh, **options)
    with BenchProgress(quiet=quiet) as progress:
        result = run_from_cli(request, progress)
    print_result(result, as_json=as_json)
    verdict(result)


bench.add_command(privacy)
bench.add_command(strength)
bench.add_command(trust)
