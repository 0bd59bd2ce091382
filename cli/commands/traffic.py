"""`sstraffic`: drivers on SUMO road networks."""

from pathlib import Path
from typing import Any

import click

from cli.app import CONTEXT_SETTINGS, debug_option, exit_with, version_option
from cli.commands.runs.verify import verify
from cli.commands.signals import signals
from cli.options import (
    OPTIONS_OF_TRUST,
    budget_option,
    out_option,
    output_options,
    preset_option,
    report_option,
    resume_option,
    seed_option,
    settings_options,
    trace_option,
    trust_options,
    workers_option,
)
from cli.settings import scenario_request
from ss_core.errors import InputError

PROBLEMS_SHOWN = 20
OPTIONS_OF_THE_SCENARIO = (
    "net",
    "trips",
    "routes",
    "od",
    "taz",
    "drivers",
    "share",
    "en_route",
    "signals",
    "meso",
    "days",
    "seed",
    "algorithm",
    "neighbours",
    "budget",
    "workers",
    "cross_check",
    "trace",
    "device",
    *OPTIONS_OF_TRUST,
)
ALGORITHMS = ("ss", "independent", "centralised", "vps", "vs", "ps")


@click.group(context_settings=CONTEXT_SETTINGS)
@version_option
@debug_option
def cli() -> None:
    """Drivers choose their routes through a SUMO network by suggestions, not by sharing data."""


@cli.command("run")
@click.option(
    "--net",
    metavar="FILE|NAME",
    envvar="SS_NET",
    help="A SUMO network (.net.xml), or the name of one that comes with sumo-rl (see `nets`).",
)
@click.option("--trips", metavar="FILE", envvar="SS_TRIPS", help="Demand: a SUMO trips file.")
@click.option("--routes", metavar="FILE", envvar="SS_ROUTES", help="Demand: a SUMO route file.")
@click.option(
    "--od", metavar="FILE", envvar="SS_OD", help="Demand: an OD matrix, $O format or XML."
)
@click.option("--taz", metavar="FILE", envvar="SS_TAZ", help="Zones of the OD matrix.")
@click.option(
    "--drivers",
    type=click.IntRange(1, 20_000),
    envvar="SS_DRIVERS",
    show_default="60",
    help="How many trips are drawn where no demand is given.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    envvar="SS_SHARE",
    show_default="1.0",
    help="Share of the drivers with a choice that take part; the others drive as ever.",
)
@click.option(
    "--en-route", is_flag=True, envvar="SS_EN_ROUTE", help="Decide again where routes part."
)
@click.option(
    "--drivers-and-signals",
    "signals",
    is_flag=True,
    envvar="SS_SIGNALS",
    help="The net's traffic lights learn, too, on the same days.",
)
@click.option(
    "--meso", is_flag=True, envvar="SS_MESO", help="SUMO's mesoscopic model: faster, another model."
)
@click.option(
    "--days",
    type=click.IntRange(1, 1000),
    envvar="SS_DAYS",
    show_default="16",
    help="Held-out days on which every policy is scored.",
)
@seed_option
@click.option(
    "--algorithm",
    type=click.Choice(ALGORITHMS),
    envvar="SS_ALGORITHM",
    show_default="ss",
    help="Who learns from what; see docs.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(1, 5000),
    envvar="SS_NEIGHBOURS",
    show_default="8",
    help="Drivers that one exchanges suggestions with.",
)
@budget_option("90s, 2min, 300 (updates) or 4800episodes")
@out_option
@resume_option
@settings_options
@preset_option("tuned", "paper", means="ours or the paper's")
@workers_option("Processes at a time; the results do not depend on it.")
@click.option(
    "--cross-check", is_flag=True, envvar="SS_CROSS_CHECK", help="Also run SUMO's duaIterate."
)
@trust_options
@trace_option
@report_option
@output_options
@debug_option
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Train drivers, score them on held-out days against equilibrium and optimum, write traces.

    Without --trips, --routes or --od the trips file beside the net is taken (NAME.trips.xml), and
    where there is none, demand is drawn.
    """
    from cli.commands.runs.report import with_report
    from cli.render import Progress, print_result

    request = scenario_request(ctx, options, OPTIONS_OF_THE_SCENARIO)
    from trafficsim.runs.scenario import run_from_cli

    with Progress(quiet=options["quiet"]) as progress:
        result = run_from_cli(request, progress)
    result = with_report(result, wanted=options["report"])
    print_result(result, as_json=options["as_json"])


@cli.command("nets")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def nets(as_json: bool) -> None:
    """List the networks that are shipped, and those that come with sumo-rl, with their licences."""
    from cli.render import print_records
    from trafficsim.nets.catalogue import NETS, SHIPPED, shipped_nets

    records = [
        {"net": str(path), "licence": SHIPPED, "note": "see data/nets/README.md"}
        for path in shipped_nets()
    ]
    records += [
        {"net": name, "licence": net.licence, "note": net.note} for name, net in NETS.items()
    ]
    print_records("ss.nets/1", "nets", records, as_json=as_json)


@cli.command("net")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@debug_option
def check_net(file: Path, as_json: bool) -> None:
    """Check the SUMO network FILE (.net.xml) without SUMO; all problems at once; exit 3 if any."""
    from cli.render import print_json, print_table
    from trafficsim.nets.catalogue import net_file, origin_notes
    from trafficsim.nets.network import preflight

    found = net_file(str(file))
    report = preflight(found)
    notes = [*report.notes, *origin_notes(str(file), found)]
    if as_json:
        print_json({"schema": "ss.net/1", "file": str(found), **report.as_record(), "notes": notes})
    else:
        print_table([{"quantity": key, "value": value} for key, value in report.summary().items()])
        for note in notes:
            click.echo(f"note: {note}")
        for problem in report.problems[:PROBLEMS_SHOWN]:
            click.echo(problem, err=True)
    if report.problems:
        raise InputError(
            f"{found}: {len(report.problems)} problems; mend them in netedit or netconvert"
        )


cli.add_command(signals)
cli.add_command(verify)


def main() -> None:
    """Entry point of the `sstraffic` script."""
    exit_with(cli, "sstraffic")


if __name__ == "__main__":
    main()
