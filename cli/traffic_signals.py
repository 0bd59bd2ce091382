"""`sstraffic signals`: traffic lights that coordinate by suggestions, on sumo-rl."""

from pathlib import Path
from typing import Any

import click

from cli.app import debug_option
from cli.options import out_option, output_options, resume_option, seed_option
from cli.settings import (
    from_assignments,
    from_environment,
    from_file,
    from_options,
    parse_budget,
)

OPTIONS_OF_THE_RUN = (
    "net",
    "routes",
    "trips",
    "scenario",
    "seconds",
    "reward",
    "episodes",
    "seed",
    "algorithm",
    "budget",
    "workers",
    "trace",
    "device",
)


@click.command("signals")
@click.option(
    "--net", metavar="FILE", envvar="SS_NET", help="A SUMO network (.net.xml) with traffic lights."
)
@click.option(
    "--routes",
    metavar="FILE",
    envvar="SS_ROUTES",
    show_default="beside the net, sumo-rl's, or drawn",
    help="Demand: a SUMO file of routes or flows.",
)
@click.option("--trips", metavar="FILE", envvar="SS_TRIPS", help="Demand: a SUMO trips file.")
@click.option(
    "--scenario",
    metavar="NAME",
    envvar="SS_SCENARIO",
    help="A net inside sumo-rl instead: 2x2grid, 4x4grid, cologne8 …; any other name lists them.",
)
@click.option(
    "--seconds",
    type=click.IntRange(10, 10**6),
    envvar="SS_SECONDS",
    show_default="600; 3600 on RESCO's nets",
    help="Length of an episode.",
)
@click.option(
    "--reward",
    type=click.Choice(["diff-waiting-time", "average-speed", "queue", "pressure"]),
    envvar="SS_REWARD",
    show_default="diff-waiting-time",
    help="What each light is rewarded for, of sumo-rl's.",
)
@click.option(
    "--episodes",
    type=click.IntRange(1, 1000),
    envvar="SS_EPISODES",
    show_default="10",
    help="Held-out episodes on which every row is scored.",
)
@seed_option
@click.option(
    "--algorithm",
    type=click.Choice(["ss", "independent", "centralised", "vps", "vs", "ps"]),
    envvar="SS_ALGORITHM",
    show_default="ss",
    help="Who learns from what; see docs.",
)
@click.option(
    "--budget",
    metavar="LENGTH",
    envvar="SS_BUDGET",
    help="How long to train: 90s, 2min, 60 (updates) or 240episodes.",
)
@out_option
@resume_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="SS_CONFIG",
    help="Settings in TOML; ./ss.toml is read when there is one.",
)
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting by dotted name."
)
@click.option(
    "--preset",
    type=click.Choice(["tuned", "paper"]),
    envvar="SS_PRESET",
    show_default="tuned",
    help="Hyper-parameters: ours or the paper's.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    envvar="SS_WORKERS",
    show_default="2",
    help="Learners and references at a time; the results do not depend on it.",
)
@click.option(
    "--trace",
    type=click.Choice(["off", "kpi", "agent", "full"]),
    envvar="SS_TRACE",
    help="How much is recorded.",
)
@output_options
@debug_option
@click.pass_context
def signals(ctx: click.Context, /, **options: Any) -> None:
    """Train traffic lights, and compare with fixed time, actuated and independent ones.

    Either --net FILE, whose demand is given, lies beside it or is drawn, or --scenario NAME.
    """
    from cli.render import Progress, print_result

    request = build_request(ctx, options)
    from trafficsim.signal_run import signals_from_cli

    with Progress(quiet=options["quiet"]) as progress:
        result = signals_from_cli(request, progress)
    print_result(result, as_json=options["as_json"])


def build_request(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """What `trafficsim.signal_run.signals_from_cli` needs, as plain values.

    `overrides` holds only what somebody set, by dotted name, `origins` who set it; `budget` in it
    is a dict with one of `seconds`, `updates`, `episodes`. Presets and defaults are the run's.
    """
    settings = from_assignments(options["assignments"]).over(
        from_options(ctx, (*OPTIONS_OF_THE_RUN, "preset"))
        .over(from_environment(OPTIONS_OF_THE_RUN))
        .over(from_file(options["config"]))
    )
    overrides = dict(settings.values)
    if "budget" in overrides:
        overrides["budget"] = parse_budget(str(overrides["budget"]))
    return {
        "preset": overrides.pop("preset", "tuned"),
        "overrides": overrides,
        "origins": dict(settings.origins),
        "out": str(options["out"]),
        "resume": options["resume"],
        "dry_run": options["dry_run"],
    }
