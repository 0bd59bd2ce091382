"""`sstraffic signals`: traffic lights that coordinate by suggestions, on sumo-rl."""

from typing import Any

import click

from cli.app import debug_option
from cli.options import (
    budget_option,
    out_option,
    output_options,
    preset_option,
    report_option,
    resume_option,
    seed_option,
    settings_options,
    trace_option,
    workers_option,
)
from cli.settings import scenario_request

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
    help="A net of sumo-rl instead: 2x2grid, 4x4grid, cologne8 … (see `sstraffic nets`).",
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
@budget_option("90s, 2min, 60 (updates) or 240episodes")
@out_option
@resume_option
@settings_options
@preset_option("tuned", "paper", means="ours or the paper's")
@workers_option("Learners and references at a time; the results do not depend on it.")
@trace_option
@report_option
@output_options
@debug_option
@click.pass_context
def signals(ctx: click.Context, /, **options: Any) -> None:
    """Train traffic lights, and compare with fixed time, actuated and independent ones.

    Either --net FILE, whose demand is given, lies beside it or is drawn, or --scenario NAME.
    """
    from cli.commands.runs.report import with_report
    from cli.render import Progress, print_result

    request = scenario_request(ctx, options, OPTIONS_OF_THE_RUN)
    from trafficsim.runs.signal_run import signals_from_cli

    with Progress(quiet=options["quiet"]) as progress:
        result = signals_from_cli(request, progress)
    result = with_report(result, wanted=options["report"])
    print_result(result, as_json=options["as_json"])
