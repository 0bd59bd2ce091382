"""`ss bench trust`: what liars cost in every world, and what trust saves."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.app import CONTEXT_SETTINGS, debug_option, example
from cli.options import LIES, Number, bench_options
from cli.worlds import WORLDS

if TYPE_CHECKING:
    from ss_core.experiments.trust import Condition
    from ss_core.scenario.short_runs import ShortRun

GAMES = ("predation", "grid", "traffic")  # in which lies are tried
UNITS = {"predation": "reward/step", "grid": "EUR/household and day", "traffic": "s/driver"}
UPDATES = {  # of a short run, by profile
    "smoke": {"predation": 4, "grid": 2, "traffic": 2},
    "quick": {"predation": 300, "grid": 60, "traffic": 50},
    "full": {"predation": 300, "grid": 120, "traffic": 80},
}
HOUSEHOLDS = {"smoke": 8, "quick": 50, "full": 50}
NUM_SEEDS = {"smoke": 2, "quick": 5, "full": 10}
NET = "grid.net.xml"  # of those shipped


@click.command(
    "trust",
    short_help="What liars cost, believed and with trust.",
    epilog=example("ss bench trust --profile smoke"),
    context_settings=CONTEXT_SETTINGS,
)
@bench_options(
    "trust",
    how_much="a minute, about an hour, half a day",
    each="Trainings",
    kept="what is finished in there is",
)
@click.option(
    "--env",
    "worlds",
    type=click.Choice(GAMES),
    multiple=True,
    help="Only this world; may be repeated.",
)
@click.option(
    "--seeds", type=click.IntRange(2, 10), show_default="5, smoke: 2", help="Per condition."
)
@click.option(
    "--liars",
    "shares",
    type=Number(0, 1, min_open=True),
    multiple=True,
    metavar="SHARE",
    show_default="those of the profile",
    help="Only this share of liars; may be repeated.",
)
@click.option(
    "--lie",
    "lies",
    type=click.Choice([lie for lie in LIES if lie != "silent"]),
    multiple=True,
    show_default="those of the profile",
    help="Only this lie; may be repeated.",
)
@debug_option
def trust(
    profile: str,
    worlds: tuple[str, ...],
    seeds: int | None,
    shares: tuple[float, ...],
    lies: tuple[str, ...],
    workers: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Welfare lost to liars, believed and with trust, in Predation, grid and traffic.

    May be stopped at any time: the same command goes on with what is not finished.
    """
    from cli.render import Progress, print_result
    from ss_core.experiments.trust import SEEDS, conclude, conditions
    from ss_core.scenario.short_runs import run_bench

    folder = out or Path("bench") / f"trust-{profile}"
    wanted = conditions(profile, worlds or GAMES, shares=shares, lies=lies)  # type: ignore[arg-type]
    used = SEEDS[: seeds or NUM_SEEDS[profile]]
    short_runs = [_short_run(each, seed, profile) for seed in used for each in wanted]
    with Progress(quiet=quiet) as progress:
        result = run_bench(
            short_runs,
            folder,
            workers,
            progress,
            lambda found: conclude(wanted, used, found, UNITS) | {"run_dir": str(folder)},
            file="trust.json",
        )
    print_result(result, as_json=as_json)


def _short_run(condition: "Condition", seed: int, profile: str) -> "ShortRun":
    from ss_core.scenario.short_runs import ANY_WORLD, ShortRun

    updates = UPDATES[profile][condition.world]
    settings = condition.settings | {"seed": seed, "learner.num_updates": updates}
    world, own = {
        "predation": ("train", {"env": "predation", "agents": 8}),
        "grid": ("grid", {"days": 16, "households": HOUSEHOLDS[profile]}),
        "traffic": ("traffic", {"days": 16, "net": NET}),
    }[condition.world]
    arguments = {"scenario": WORLDS[world].scenario, "settings": settings | own}
    return ShortRun(condition.slug, seed, ANY_WORLD, arguments)
