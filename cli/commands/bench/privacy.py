"""`ss bench privacy`: what messages and plans reveal about households; what noise costs."""

from pathlib import Path

import click

from cli.app import CONTEXT_SETTINGS, debug_option, example
from cli.options import bench_options


@click.command(
    "privacy",
    short_help="What the curious learn from messages.",
    epilog=example("ss bench privacy --profile smoke"),
    context_settings=CONTEXT_SETTINGS,
)
@bench_options(
    "privacy",
    how_much="a minute, ten minutes, hours",
    each="Trainings",
    kept="what is finished in there is",
)
@debug_option
def privacy(profile: str, workers: int, out: Path | None, as_json: bool, quiet: bool) -> None:
    """What the curious learn from messages and from the public sum of plans, method by method.

    A linear model and a small network, trained on shadow runs, guess comfort weight, car and daily
    cost of households in other runs. Then the same with noise on what suggestion sharing tells.
    """
    from cli.render import Progress, print_result
    from gridsim.privacy.benchmark import conclude, short_runs_of
    from ss_core.scenario.short_runs import run_bench

    folder = out or Path("bench") / f"privacy-{profile}"
    by_method = short_runs_of(profile).values()
    in_turn = [one for of_a_seed in zip(*by_method, strict=True) for one in of_a_seed]
    with Progress(quiet=quiet) as progress:
        result = run_bench(
            in_turn,
            folder,
            workers,
            progress,
            lambda found: conclude(found, folder, profile),
            file="privacy.json",
        )
    print_result(result, as_json=as_json)
